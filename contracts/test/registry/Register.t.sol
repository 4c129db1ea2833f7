// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Protocol} from "../Protocol.t.sol";

contract RegisterTest is Protocol {
    function test_register_givesTheHashOfTheModelAsItsId() public {
        IModelRegistry.Model memory model = fresh();
        bytes32 id = keccak256(abi.encode(model));

        vm.expectEmit(address(models));
        emit IModelRegistry.ModelRegistered(id, modelOwner, model.manifestHash, "emoji");
        assertEq(register(model), id);

        assertTrue(models.isRegistered(id));
        assertEq(abi.encode(models.modelOf(id)), abi.encode(model));
        assertEq(models.seatStakeOf(id), SEAT_STAKE);
    }

    function test_register_listsTheIds() public {
        bytes32 second = register(fresh());

        assertEq(models.modelCount(), 2);
        bytes32[] memory ids = models.modelIds(0, type(uint256).max);
        assertEq(ids.length, 2);
        assertEq(ids[0], modelId);
        assertEq(ids[1], second);
        assertEq(models.modelIds(1, 1)[0], second);
    }

    function testFuzz_modelIds_neverReadsBeyondTheEnd(uint256 start, uint256 limit) public view {
        uint256 rest = start < 1 ? 1 - start : 0;
        assertEq(models.modelIds(start, limit).length, limit < rest ? limit : rest);
    }

    function test_register_failsForAnybodyButTheOwner() public {
        IModelRegistry.Model memory model = fresh();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotModelOwner.selector, modelOwner, stranger));
        vm.prank(stranger);
        models.register(model, "emoji");
    }

    function test_register_failsForNobody() public {
        IModelRegistry.Model memory model = fresh();
        model.owner = address(0);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotModelOwner.selector, address(0), modelOwner));
        register(model);
    }

    function test_register_failsTwice() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.AlreadyRegistered.selector, modelId));
        register(emoji());
    }

    function test_register_takesAManifestAgainUnderOtherTerms() public {
        IModelRegistry.Model memory model = emoji();
        model.owner = stranger;
        vm.prank(stranger);
        assertNotEq(models.register(model, "emoji"), modelId);
        assertEq(models.modelOf(modelId).owner, modelOwner);
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

        model.seatStake = 160;
        register(model);
    }

    function testFuzz_register_failsIfTheRoyaltyIsMoreThanAFifth(uint16 royalty) public {
        IModelRegistry.Model memory model = fresh();
        model.royalty = royalty;
        if (royalty > 2000) {
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.RoyaltyTooLarge.selector, royalty, 2000));
        }
        register(model);
    }

    function testFuzz_register_takesAProfileOnlyIfItsInequalityHolds(uint256 lane, uint8 accept, uint8 reject) public {
        lane = bound(lane, 0, 3);
        accept = uint8(bound(accept, 0, 30));
        reject = uint8(bound(reject, 0, 60));
        IModelRegistry.Model memory model = fresh();
        model.accept = withLane(model.accept, lane, accept);
        model.reject = withLane(model.reject, lane, reject);

        if (accept > 10 || reject > 24 || reject < 2 * accept) {
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.BadProfile.selector, lane, accept, reject));
        }
        register(model);
    }

    function test_register_failsIfABoundMakesNoSense() public {
        failsWith(0, 64, 8, 100);
        failsWith(72, 64, 8, 100);
        failsWith(64, 4104, 8, 100);
        failsWith(64, 64, 0, 100);
        failsWith(60, 64, 8, 100);
        failsWith(64, 68, 8, 100);
        failsWith(64, 64, 8, 0);
        failsWith(64, 64, 8, 1001);
    }

    function test_register_takesTheWidestBounds() public {
        register(bounded(1, 4096, 1, 1000));
        register(worded(32_768, 16));
    }

    function test_register_failsIfATextsBoundMakesNoSense() public {
        failsWith(worded(0, 1));
        failsWith(worded(32_769, 1));
        failsWith(worded(1, 0));
        failsWith(worded(1, 17));
    }

    function test_register_failsIfWhatBoundsTheOtherKindIsNotZero() public {
        IModelRegistry.Model memory model = fresh();
        model.maxTokens = 1;
        failsWith(model);
        (model.maxTokens, model.maxBeams) = (0, 1);
        failsWith(model);
        for (uint256 field; field < 5; ++field) {
            model = writer();
            if (field == 0) model.minSide = 1;
            if (field == 1) model.maxSide = 1;
            if (field == 2) model.sideStep = 1;
            if (field == 3) model.maxSteps = 1;
            if (field == 4) model.maxGuidance = 1;
            failsWith(model);
        }
    }

    /// @dev Texts have no distance at which they agree, and none at which they are rejected.
    function testFuzz_register_takesOneProfileOnlyForTexts(bytes4 accept, bytes4 reject) public {
        IModelRegistry.Model memory model = writer();
        (model.accept, model.reject) = (accept, reject);
        if (accept != 0 || reject != 0x40404040) {
            vm.expectRevert(
                abi.encodeWithSelector(IModelRegistry.BadProfile.selector, 0, uint8(accept[0]), uint8(reject[0]))
            );
        }
        register(model);
    }

    function test_register_failsIfTheNameIsTooLong() public {
        IModelRegistry.Model memory model = fresh();
        vm.startPrank(modelOwner);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NameTooLong.selector, 65, 64));
        models.register(model, string(new bytes(65)));

        models.register(model, string(new bytes(64)));
    }

    function test_modelOf_failsForAnUnknownModel() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        models.modelOf("none");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        models.seatStakeOf("none");
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

    function withLane(bytes4 lanes, uint256 lane, uint8 bits) internal pure returns (bytes4) {
        uint256 shift = 8 * (3 - lane);
        uint32 rest = uint32(lanes) & ~uint32(0xff << shift);
        return bytes4(rest | uint32(uint256(bits) << shift));
    }

    function bounded(uint16 minSide, uint16 maxSide, uint8 sideStep, uint16 maxSteps)
        internal
        view
        returns (IModelRegistry.Model memory model)
    {
        model = fresh();
        (model.minSide, model.maxSide, model.sideStep, model.maxSteps) = (minSide, maxSide, sideStep, maxSteps);
    }

    function worded(uint32 maxTokens, uint8 maxBeams) internal view returns (IModelRegistry.Model memory model) {
        model = writer();
        (model.maxTokens, model.maxBeams) = (maxTokens, maxBeams);
    }

    function failsWith(uint16 minSide, uint16 maxSide, uint8 sideStep, uint16 maxSteps) internal {
        failsWith(bounded(minSide, maxSide, sideStep, maxSteps));
    }

    function failsWith(IModelRegistry.Model memory model) internal {
        vm.expectRevert(IModelRegistry.BadBounds.selector);
        register(model);
    }
}
