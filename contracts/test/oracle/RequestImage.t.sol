// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Protocol} from "../Protocol.t.sol";

contract RequestImageTest is Protocol {
    /// @dev Two units of gas price for each of 105,000 and 150,000 units of gas.
    uint256 internal constant BOUNTIES = 255_000 * 2 * uint256(BASE_FEE);

    // ---------------------------------------------------------------------------------------------------- what is fixed

    function test_requestImage_fixesTheJob() public {
        IGenerationOracle.Job memory job = jobOf(request(3));

        assertEq(job.requester, requester);
        assertEq(job.nonce, 0);
        assertEq(job.modelId, modelId);
        assertEq(job.specHash, keccak256(abi.encode(IModelRegistry.Kind.Image, spec())));
        assertEq(job.specSeed, spec().seed);
        assertEq(abi.encode(job.terms), abi.encode(terms(3)));
        assertEq(job.bond, BOND);
        assertEq(job.accept, emoji().accept);
        assertEq(job.reject, emoji().reject);
        assertEq(job.modelOwner, modelOwner);
        assertEq(job.royalty, 0);
        assertEq(job.requestedAt, vm.getBlockTimestamp());
        assertEq(job.poolSlots, 5);
        assertEq(job.poolSeats, 5);
        assertEq(job.appealWindow, APPEAL_WINDOW);
        assertEq(job.gasPrice, 2 * BASE_FEE);
    }

    function test_requestImage_opensTheFirstRound() public {
        bytes32 jobId = request(3);

        IGenerationOracle.RoundState memory state = oracle.stateOf(jobId, 1);
        assertEq(uint8(state.stage), uint8(IGenerationOracle.Stage.Opened));
        assertEq(uint136(state.hash), vm.getBlockNumber() + 2);
        assertEq(state.clock, vm.getBlockTimestamp() + 60);
        assertEq(state.voted, 0);
        assertEq(state.done, 0);
        assertEq(state.latest, 1);
        assertPhase(jobId, IGenerationOracle.Phase.Requested);
    }

    function test_requestImage_announcesTheJobAndTheSpec() public {
        uint256 before = vm.snapshotState();
        bytes32 jobId = request(3);
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.revertToState(before);

        uint64 randomnessId = uint64(vm.getBlockNumber() + 2);
        uint40 deadline = uint40(vm.getBlockTimestamp() + 60);
        vm.expectEmit(address(oracle));
        emit IGenerationOracle.ImageRequested(jobId, requester, modelId, job, spec());
        vm.expectEmit(address(oracle));
        emit IGenerationOracle.Opened(jobId, 1, requester, randomnessId, deadline);
        ask(terms(3));
    }

    function test_requestImage_givesTheHashOfTheJobAsItsId() public {
        bytes32 jobId = request(3);
        assertEq(jobId, keccak256(abi.encode(block.chainid, address(oracle), jobOf(jobId))));
        assertEq(jobId, oracle.idOf(jobOf(jobId)));
    }

    function test_requestImage_givesEveryRequestAnIdOfItsOwn() public {
        bytes32 first = request(3);
        bytes32 second = request(3);

        assertNotEq(first, second);
        assertEq(jobOf(second).nonce, 1);
        assertEq(oracle.nonceOf(requester), 2);
    }

    function test_requestImage_isNotReachedByALaterBaseFee() public {
        bytes32 jobId = request(3);
        vm.fee(10 * BASE_FEE);
        assertEq(lens.appealFee(jobOf(jobId)), 7 * uint256(SHARE) + 435_000 * 2 * uint256(BASE_FEE));
    }

    function test_requestImage_countsSeatsThatAreSurelyOldEnough() public {
        enrol(2);
        assertEq(jobOf(request(3)).poolSeats, 5);
        pass(2 * SEAT_AGE);
        assertEq(jobOf(request(3)).poolSeats, 7);
    }

    function test_requestImage_takesAnyBytesAsAPrompt() public {
        IGenerationOracle.ImageSpec memory odd = spec();
        odd.prompt = hex"ff00c0af";

        vm.prank(requester);
        oracle.requestImage{value: 1 ether}(modelId, odd, terms(3));
    }

    // ------------------------------------------------------------------------------------------------------------ the fee

    function test_requestImage_takesSharesAndBounties() public {
        request(3);
        assertEq(address(oracle).balance - 5 * uint256(SEAT_STAKE), 3 * uint256(SHARE) + BOUNTIES);
        assertEq(oracle.balanceOf(requester), 0);
    }

    function test_requestImage_takesTheRoyaltyOnTop() public {
        IModelRegistry.Model memory model = emoji();
        model.royalty = 2000;
        use(model);

        assertEq(lens.quoteImage(modelId, spec(), terms(3)).fee, 3 * uint256(SHARE) * 12 / 10 + BOUNTIES);
        assertEq(jobOf(request(3)).royalty, 2000);
    }

    function test_requestImage_takesABountyForTheDelivery() public {
        IGenerationOracle.Terms memory called = terms(3);
        (called.consumer, called.consumerGas) = (stranger, 500_000);

        ask(called);

        uint256 fee = 3 * uint256(SHARE) + BOUNTIES + 580_000 * 2 * uint256(BASE_FEE);
        assertEq(oracle.balanceOf(requester), 1 ether - fee);
    }

    function testFuzz_requestImage_spendsTheBalanceAndKeepsTheRest(uint256 before, uint256 sent) public {
        uint256 fee = 3 * uint256(SHARE) + BOUNTIES;
        (before, sent) = (bound(before, 0, 1 ether), bound(sent, 0, 1 ether));
        vm.startPrank(requester);
        oracle.deposit{value: before}();

        if (before + sent < fee) {
            vm.expectRevert(
                abi.encodeWithSelector(IGenerationOracle.BalanceTooSmall.selector, requester, before + sent, fee)
            );
        }
        oracle.requestImage{value: sent}(modelId, spec(), terms(3));

        assertEq(oracle.balanceOf(requester), before + sent < fee ? before : before + sent - fee);
    }

    // ---------------------------------------------------------------------------------------------------------- the price

    function testFuzz_requestImage_takesNoLessThanTheWorkAndTheVotesGas(uint64 price, uint32 steps, uint64 baseFee)
        public
    {
        IModelRegistry.Model memory model = emoji();
        model.price = uint64(bound(price, 0, 1000 gwei));
        use(model);
        vm.fee(bound(baseFee, 0, 30 gwei));
        IGenerationOracle.ImageSpec memory image = spec();
        image.steps = uint32(bound(steps, 1, 100));
        uint256 work = image.steps * 64 * 64;
        uint96 least = uint96((work * model.price + 999_999) / 1e6 + 330_000 * block.basefee);
        vm.assume(least > 0 && least <= SHARE);
        IGenerationOracle.Terms memory cheap = terms(3);

        cheap.share = least - 1;
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.ShareOutOfRange.selector, least - 1, least, SHARE));
        vm.prank(requester);
        oracle.requestImage{value: 1 ether}(modelId, image, cheap);

        cheap.share = least;
        vm.prank(requester);
        oracle.requestImage{value: 1 ether}(modelId, image, cheap);
    }

    function test_requestImage_failsIfTheBondWouldNotBeTwentyShares() public {
        IGenerationOracle.Terms memory greedy = terms(3);
        greedy.share = SHARE + 1;
        uint96 least = lens.quoteImage(modelId, spec(), greedy).leastShare;

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.ShareOutOfRange.selector, SHARE + 1, least, SHARE));
        ask(greedy);
    }

    function test_requestImage_failsForNothing() public {
        IModelRegistry.Model memory model = emoji();
        model.price = 0;
        use(model);
        vm.fee(0);
        IGenerationOracle.Terms memory free = terms(3);
        free.share = 0;

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.ShareOutOfRange.selector, 0, 0, SHARE));
        ask(free);
    }

    // ---------------------------------------------------------------------------------------------------------- the times

    function testFuzz_requestImage_takesACommitWindowInRange(uint32 window) public {
        window = uint32(bound(window, 0, 600));
        IGenerationOracle.Terms memory timed = terms(3);
        timed.commitWindow = window;

        if (window < COMMIT_WINDOW || window > 300) {
            vm.expectRevert(
                abi.encodeWithSelector(IGenerationOracle.CommitWindowOutOfRange.selector, window, COMMIT_WINDOW, 300)
            );
        }
        ask(timed);
    }

    function test_requestImage_givesASlowModelFourTimesItsTime() public {
        IModelRegistry.Model memory model = emoji();
        // 4 x 81,920 units of work at 0.6 s for a thousand: 196.608 s.
        model.time = 600_000;
        use(model);

        IGenerationOracle.Terms memory hasty = terms(3);
        hasty.commitWindow = 196;
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.CommitWindowOutOfRange.selector, 196, 197, 300));
        ask(hasty);

        hasty.commitWindow = 197;
        assertEq(jobOf(request(hasty)).appealWindow, 197);
    }

    function test_requestImage_failsIfTheModelIsTooSlowForTheWork() public {
        IModelRegistry.Model memory model = emoji();
        model.time = 1_000_000;
        use(model);
        IGenerationOracle.Terms memory longest = terms(3);
        longest.commitWindow = 300;

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.CommitWindowOutOfRange.selector, 300, 328, 300));
        ask(longest);
    }

    // ------------------------------------------------------------------------------------------------------ the committee

    function testFuzz_requestImage_takesOddCommittees(uint8 size) public {
        enrol(26);
        pass(2 * SEAT_AGE);
        if (size < 3 || size > 31 || size % 2 == 0) {
            vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongCommitteeSize.selector, size));
        }
        ask(terms(size));
    }

    function test_requestImage_takesASuperMajorityFromFiveSeats() public {
        IGenerationOracle.Terms memory super_ = terms(3);
        super_.superMajority = true;

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.SuperMajorityTooSmall.selector, 3));
        ask(super_);

        super_.committeeSize = 5;
        ask(super_);
    }

    function test_requestImage_failsIfThePoolIsTooSmall() public {
        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.PoolTooSmall.selector, modelId, 5, 7));
        ask(terms(7));
    }

    function test_requestImage_doesNotCountSeatsThatMayBeTooYoung() public {
        enrol(2);
        pass(SEAT_AGE - 1);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.PoolTooSmall.selector, modelId, 5, 7));
        ask(terms(7));
    }

    function test_requestImage_doesNotCountSeatsThatLeft() public {
        for (uint32 seat; seat < 3; ++seat) {
            vm.prank(ownerOf(seat));
            stakes.leavePool(modelId, seat);
        }

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.PoolTooSmall.selector, modelId, 2, 3));
        ask(terms(3));
    }

    // ------------------------------------------------------------------------------------------------------- the consumer

    function test_requestImage_failsIfTheConsumerAsksForTooMuchGas() public {
        IGenerationOracle.Terms memory called = terms(3);
        (called.consumer, called.consumerGas) = (stranger, 500_001);

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongConsumer.selector, stranger, 500_001));
        ask(called);
    }

    function test_requestImage_failsIfGasIsAskedForNobody() public {
        IGenerationOracle.Terms memory called = terms(3);
        called.consumerGas = 1;

        vm.expectRevert(abi.encodeWithSelector(IGenerationOracle.WrongConsumer.selector, address(0), 1));
        ask(called);
    }

    // ---------------------------------------------------------------------------------------------------------- the model

    function test_requestImage_failsForAnUnknownModel() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        vm.prank(requester);
        oracle.requestImage{value: 1 ether}("none", spec(), terms(3));
    }

    function test_requestImage_failsOutsideTheModelsBounds() public {
        IGenerationOracle.ImageSpec memory wide = spec();
        wide.width = 136;

        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.SizeOutOfBounds.selector, 136, 64, 64, 128, 8));
        vm.prank(requester);
        oracle.requestImage{value: 1 ether}(modelId, wide, terms(3));
    }

    function test_requestImage_failsIfAPromptIsTooLong() public {
        IGenerationOracle.ImageSpec memory long = spec();
        long.negativePrompt = new bytes(4097);

        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.PromptTooLong.selector, 4097, 4096));
        vm.prank(requester);
        oracle.requestImage{value: 1 ether}(modelId, long, terms(3));
    }

    /// @dev With more than any fee; the rest stays in the balance.
    function ask(IGenerationOracle.Terms memory of_) internal {
        vm.prank(requester);
        oracle.requestImage{value: 1 ether}(modelId, spec(), of_);
    }

    function use(IModelRegistry.Model memory model) internal {
        model.manifestHash = "another";
        vm.prank(modelOwner);
        modelId = models.register(model, "another");
        enrol(5);
        pass(2 * SEAT_AGE);
    }
}
