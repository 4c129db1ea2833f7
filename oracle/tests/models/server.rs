//! A server that answers as the hub or as any file server does, and fails as they do when it is told to.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::json;

use crate::machine::{COMMIT, sha256};

/// Files of this many bytes are large ones, whose sha256 the hub tells.
const LARGE: usize = 1_000;

/// It ends with the test's process.
pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
}

/// What happens to requests whose path ends so.
#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    /// Bytes after which the next connections are cut.
    cuts: HashMap<String, Vec<usize>>,
    refusals: HashMap<String, (u16, Option<String>)>,
    redirects: HashMap<String, String>,
    knows_no_ranges: bool,
    seen: Vec<Seen>,
}

impl Server {
    /// The hub, with one repository.
    pub(crate) fn hub(files: Vec<(&str, Vec<u8>)>) -> Self {
        let siblings = files.iter().map(|(path, bytes)| match bytes.len() < LARGE {
            true => json!({"rfilename": path, "size": bytes.len(), "blobId": "ignored"}),
            false => {
                let sha256 = sha256(bytes).split_off(2);
                json!({"rfilename": path, "size": bytes.len(), "lfs": {"sha256": sha256, "size": bytes.len(), "pointerSize": 134}})
            }
        });
        let info = json!({
            "id": "me/Tiny", "sha": COMMIT, "gated": false, "cardData": {"license": "mit"},
            "siblings": siblings.collect::<Vec<_>>(),
        });
        let mut all: HashMap<_, _> =
            files.into_iter().map(|(path, bytes)| (format!("/me/Tiny/resolve/{COMMIT}/{path}"), bytes)).collect();
        all.insert("/api/models/me/Tiny/revision/main?blobs=true".to_owned(), info.to_string().into_bytes());
        all.insert(format!("/api/models/me/Tiny/revision/{COMMIT}?blobs=true"), info.to_string().into_bytes());
        Self::serving(all)
    }

    /// Files, each below `/`.
    pub(crate) fn files(files: Vec<(&str, Vec<u8>)>) -> Self {
        Self::serving(files.into_iter().map(|(path, bytes)| (format!("/{path}"), bytes)).collect())
    }

    fn serving(files: HashMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { files, ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that goes away early is no failure of the server's.
                let _ = answer(connection, &shared);
            }
        });
        Self { url, state }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub(crate) fn cut(&self, path: &str, after: Vec<usize>) {
        self.state.lock().unwrap().cuts.insert(path.to_owned(), after);
    }

    pub(crate) fn refuse(&self, path: &str, status: u16, code: Option<&str>) {
        self.state.lock().unwrap().refusals.insert(path.to_owned(), (status, code.map(str::to_owned)));
    }

    pub(crate) fn redirect(&self, path: &str, to: &str) {
        self.state.lock().unwrap().redirects.insert(path.to_owned(), to.to_owned());
    }

    pub(crate) fn ignore_ranges(&self) {
        self.state.lock().unwrap().knows_no_ranges = true;
    }

    /// Sends other bytes than it has told of.
    pub(crate) fn replace(&self, path: &str, bytes: Vec<u8>) {
        let mut state = self.state.lock().unwrap();
        let file = state.files.iter_mut().find(|(file, _)| bare(file).ends_with(path)).unwrap();
        *file.1 = bytes;
    }
}

fn answer(mut connection: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let path = lines.next().unwrap()?.split(' ').nth(1).unwrap().to_owned();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let (range, authorization) = (headers.remove("range"), headers.remove("authorization"));
    let (head, body) = {
        let mut state = state.lock().unwrap();
        state.seen.push(Seen { path: path.clone(), range: range.clone(), authorization });
        state.answer(&path, range.as_deref())
    };
    connection.write_all(head.as_bytes())?;
    connection.write_all(&body)
}

impl State {
    /// Head and, perhaps cut, body.
    fn answer(&mut self, path: &str, range: Option<&str>) -> (String, Vec<u8>) {
        let plain = |status: &str, extra: &str| {
            (format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n{extra}\r\n"), Vec::new())
        };
        let is_this = |end: &String| bare(path).ends_with(end.as_str());
        if let Some((_, (status, code))) = self.refusals.iter().find(|(end, _)| is_this(end)) {
            let code = code.as_ref().map(|code| format!("x-error-code: {code}\r\n")).unwrap_or_default();
            return plain(&format!("{status} No"), &code);
        }
        if let Some((_, to)) = self.redirects.iter().find(|(end, _)| is_this(end)) {
            return plain("302 Found", &format!("location: {to}\r\n"));
        }
        let file = self.files.get(path).or_else(|| self.files.get(bare(path)));
        let Some(file) = file else { return plain("404 Not Found", "") };
        let from = range
            .filter(|_| !self.knows_no_ranges)
            .map(|range| range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse::<usize>().unwrap());
        let mut body = file[from.unwrap_or_default()..].to_vec();
        let mut head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
        if let Some(from) = from {
            head = head.replace("200 OK", "206 Partial Content");
            write!(head, "content-range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len()).unwrap();
        }
        if let Some((_, cuts)) = self.cuts.iter_mut().find(|(end, cuts)| is_this(end) && !cuts.is_empty()) {
            body.truncate(cuts.remove(0));
        }
        (head + "\r\n", body)
    }
}

fn bare(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}
