-- A worker has several models, and takes the orders of each.
ALTER TABLE workers RENAME COLUMN model TO models;
ALTER TABLE workers ALTER COLUMN models TYPE BYTEA[] USING ARRAY[models];
