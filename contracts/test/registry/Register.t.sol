// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Protocol} from "../Protocol.t.sol";

contract RegisterTest is Protocol {
    function test_register_givesTheHashOfTheModelAsItsId() public {
        IModelRegistry.Model memory model = fresh();
        bytes32 id = keccak256(abi.encode(model));

        vm.expectEmit();
        emit IModelRegistry.ModelRegistered(id, modelOwner, model.manifestHash, "emoji");
        assertEq(register(model), id);

        assertTrue(models.isRegistered(id));
        assertEq(abi.encode(models.modelOf(id)), abi.encode(model));
        assertEq(models.seatStakeOf(id), SEAT_STAKE);
        assertEq(abi.encode(models.profileOf(id)), abi.encode(profile()));
    }

    function test_register_listsTheIds() public {
        bytes32 second = register(fresh());

        assertEq(models.modelCount(), 2);
        bytes32[] memory ids = models.modelIds(0, type(uint256).max);
        assertEq(ids.length, 2);
        assertEq(ids[0], modelId);
        assertEq(ids[1], second);
        assertEq(models.modelIds(1, 1)[0], second);
        assertEq(models.modelIds(2, 1).length, 0);
    }

    function test_register_failsForAnybodyButTheOwner() public {
        IModelRegistry.Model memory model = fresh();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotModelOwner.selector, modelOwner, stranger));
        vm.prank(stranger);
        models.register(model, "emoji");
    }

    function test_register_failsTwice() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.AlreadyRegistered.selector, modelId));
        register(emoji());
    }

    function test_register_failsWithoutAManifest() public {
        IModelRegistry.Model memory model = fresh();
        model.manifestHash = 0;
        vm.expectRevert(IModelRegistry.EmptyManifest.selector);
        register(model);
    }

    function test_register_failsIfABondWouldNotBeTwentyShares() public {
        IModelRegistry.Model memory model = fresh();
        model.seatStake = 159;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.SeatStakeTooSmall.selector, 159));
        register(model);
    }

    /// @dev Rounding never makes the bond smaller than 20 of the largest shares.
    function testFuzz_register_keepsTwentySharesInABond(uint96 seatStake) public pure {
        seatStake = uint96(bound(seatStake, 160, type(uint96).max));
        assertGe(seatStake / 8, 20 * (seatStake / 160));
    }

    function testFuzz_register_takesAProfileOnlyIfItsInequalityHolds(uint256 lane, uint8 accept, uint8 reject) public {
        lane = bound(lane, 0, 3);
        accept = uint8(bound(accept, 0, 30));
        reject = uint8(bound(reject, 0, 60));
        IModelRegistry.Model memory model = fresh();
        model.profile.accept[lane] = accept;
        model.profile.reject[lane] = reject;

        if (accept > 10 || reject > 24 || reject < 2 * accept) {
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.BadProfile.selector, lane, accept, reject));
        }
        register(model);
    }

    function test_register_failsIfABoundMakesNoSense() public {
        failsWith(bounds(0, 64, 8, 100));
        failsWith(bounds(72, 64, 8, 100));
        failsWith(bounds(64, 4104, 8, 100));
        failsWith(bounds(64, 64, 0, 100));
        failsWith(bounds(60, 64, 8, 100));
        failsWith(bounds(64, 68, 8, 100));
        failsWith(bounds(64, 64, 8, 0));
        failsWith(bounds(64, 64, 8, 1001));
    }

    function test_register_failsIfTheNameIsTooLong() public {
        IModelRegistry.Model memory model = fresh();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NameTooLong.selector, 65, 64));
        vm.prank(modelOwner);
        models.register(model, string(new bytes(65)));
    }

    function test_modelOf_failsForAnUnknownModel() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        models.modelOf("none");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        models.seatStakeOf("none");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        models.profileOf("none");
        assertFalse(models.isRegistered("none"));
    }

    function fresh() internal view returns (IModelRegistry.Model memory model) {
        model = emoji();
        model.manifestHash = keccak256("another manifest");
    }

    function register(IModelRegistry.Model memory model) internal returns (bytes32) {
        vm.prank(modelOwner);
        return models.register(model, "emoji");
    }

    function bounds(uint32 minSide, uint32 maxSide, uint32 sideStep, uint32 maxSteps)
        internal
        pure
        returns (IModelRegistry.ImageBounds memory)
    {
        return IModelRegistry.ImageBounds(minSide, maxSide, sideStep, maxSteps, 20_000);
    }

    function failsWith(IModelRegistry.ImageBounds memory bad) internal {
        IModelRegistry.Model memory model = fresh();
        model.bounds = bad;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.BadBounds.selector, bad));
        register(model);
    }
}
