// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IGenerationOracle} from "../src/interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {Digests} from "../src/libraries/Digests.sol";
import {Fees} from "../src/libraries/Fees.sol";
import {Members} from "../src/libraries/Members.sol";
import {Rounds} from "../src/libraries/Rounds.sol";
import {Rulings} from "../src/libraries/Rulings.sol";
import {Specs} from "../src/libraries/Specs.sol";
import {Standing, Standings} from "../src/libraries/Standings.sol";
import {Tally} from "../src/libraries/Tally.sol";
import {DrandRandomness} from "../src/randomness/DrandRandomness.sol";
import {DrandFixtures} from "./DrandFixtures.t.sol";
import {Protocol} from "./Protocol.t.sol";

/// @notice Holds the contracts to `tests/vectors`, as `cargo test` holds the Rust side to them.
contract VectorsTest is Protocol {
    using Fees for IGenerationOracle.Job;
    using Members for IGenerationOracle.Member;
    using Specs for IGenerationOracle.ImageSpec;
    using Specs for IGenerationOracle.TextSpec;
    using Standings for Standing;

    string private _json;

    // -------------------------------------------------------------------------------------------------- what is generated

    function test_specHash() public {
        for (uint256 i = _open("spec", 12); i > 0; --i) {
            string memory path = _at(i - 1);
            IGenerationOracle.ImageSpec memory spec_ = IGenerationOracle.ImageSpec({
                prompt: vm.parseJsonBytes(_json, string.concat(path, ".prompt")),
                negativePrompt: vm.parseJsonBytes(_json, string.concat(path, ".negativePrompt")),
                width: uint32(_uint(path, ".width")),
                height: uint32(_uint(path, ".height")),
                steps: uint32(_uint(path, ".steps")),
                solver: IGenerationOracle.Solver(_uint(path, ".solver")),
                guidance: uint32(_uint(path, ".guidance")),
                seed: _word(path, ".seed")
            });

            assertEq(keccak256(abi.encode(IModelRegistry.Kind.Image, spec_)), _word(path, ".hash"), _what(path));
        }
    }

    function test_noiseSeed() public {
        for (uint256 i = _open("noise", 16); i > 0; --i) {
            string memory path = _at(i - 1);
            IGenerationOracle.Job memory job;
            (job.specSeed, job.terms.fixedSeed) = (_word(path, ".specSeed"), _bool(path, ".fixedSeed"));

            assertEq(lens.noiseSeed(job, _word(path, ".drawSeed")), _word(path, ".noiseSeed"), path);
        }
    }

    // ---------------------------------------------------------------------------------------------------- jobs and rounds

    /// @dev The contract itself, at the address and on the chain that the vector names; as in all that binds these.
    function test_idOf() public {
        for (uint256 i = _open("job", 5); i > 0; --i) {
            string memory path = _at(i - 1);

            assertEq(_oracleOf(path).idOf(_job(path)), _word(path, ".jobId"), path);
        }
    }

    /// @dev The requester is a contract that accepts this hash and no other. Beyond that the oracle does not come: it does not
    /// know the model.
    function test_delegationHash() public {
        for (uint256 i = _open("delegation", 15); i > 0; --i) {
            string memory path = _at(i - 1);
            bytes32 hash = _word(path, ".hash");
            string memory typedData = vm.parseJsonString(_json, string.concat(path, ".typedData"));
            assertEq(vm.eip712HashTypedData(typedData), hash, _what(path));

            IGenerationOracle there = _oracleOf(path);
            bytes memory encoded = vm.parseJsonBytes(_json, string.concat(path, ".delegated"));
            vm.clearMockedCalls();
            vm.mockCall(
                vm.parseJsonAddress(_json, string.concat(path, ".requester")),
                abi.encodeCall(IERC1271.isValidSignature, (hash, "")),
                abi.encode(IERC1271.isValidSignature.selector)
            );
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, _word(path, ".modelId")));
            if (_bool(path, ".isImage")) {
                there.requestImageFor(abi.decode(encoded, (IGenerationOracle.DelegatedImage)), "");
            } else {
                there.requestTextFor(abi.decode(encoded, (IGenerationOracle.DelegatedText)), "");
            }
        }
    }

    function test_commitmentOf() public {
        for (uint256 i = _open("commitment", 11); i > 0; --i) {
            string memory path = _at(i - 1);
            IGenerationOracle.Opening memory opening = IGenerationOracle.Opening({
                digest: _word(path, ".digest"), contentHash: _word(path, ".contentHash"), salt: _word(path, ".salt")
            });

            bytes32 commitment = _oracleOf(path)
                .commitmentOf(
                    _word(path, ".jobId"), uint8(_uint(path, ".number")), uint32(_uint(path, ".seat")), opening
                );
            assertEq(commitment, _word(path, ".commitment"), _what(path));
        }
    }

    function test_drawSeed() public {
        for (uint256 i = _open("draw", 5); i > 0; --i) {
            string memory path = _at(i - 1);
            uint8 number = uint8(_uint(path, ".number"));

            bytes32 drawSeed = Rounds.drawSeed(_word(path, ".randomness"), _word(path, ".jobId"), number);
            assertEq(drawSeed, _word(path, ".drawSeed"), path);
        }
    }

    /// @dev Rounds that were published, as a node decompresses them.
    function test_drandRounds() public {
        DrandRandomness drand = DrandFixtures.quicknet();
        for (uint256 i = _open("drand", 5); i > 0; --i) {
            string memory path = _at(i - 1);
            uint64 round = uint64(_uint(path, ".round"));
            bytes memory proof = vm.parseJsonBytes(_json, string.concat(path, ".proof"));

            assertEq(drand.randomness(round, proof), _word(path, ".randomness"), path);
            assertEq(drand.timeOf(round), _uint(path, ".time"), path);
        }
    }

    function test_member() public {
        for (uint256 i = _open("member", 4); i > 0; --i) {
            string memory path = _at(i - 1);
            address operator = vm.parseJsonAddress(_json, string.concat(path, ".operator"));
            (uint32 seat, uint8 place) = (uint32(_uint(path, ".seat")), uint8(_uint(path, ".place")));

            bytes32 word = Members.pack(operator, uint32(_uint(path, ".pool")), seat, place);
            assertEq(word, _word(path, ".member"), path);
            IGenerationOracle.Member member = IGenerationOracle.Member.wrap(word);
            assertEq(bytes32(member.slot()), _word(path, ".slot"), path);
            assertEq(member.operator(), operator, path);
            assertEq(member.seat(), seat, path);
            assertEq(member.place(), place, path);
        }
    }

    function test_sizesAndQuorums() public {
        for (uint256 i = _open("size", 60); i > 0; --i) {
            string memory path = _at(i - 1);

            uint8 size = Rulings.sizeOf(uint8(_uint(path, ".first")), uint8(_uint(path, ".number")));
            assertEq(size, _uint(path, ".size"), path);
            assertEq(Tally.quorum(size, false), _uint(path, ".quorum"), path);
            assertEq(Tally.quorum(size, true), _uint(path, ".superQuorum"), path);
        }
    }

    // --------------------------------------------------------------------------------------------------------- the verdict

    function test_distancesAndZone() public {
        for (uint256 i = _open("digest", 69); i > 0; --i) {
            string memory path = _at(i - 1);
            (bytes32 a, bytes32 b) = (_word(path, ".a"), _word(path, ".b"));

            uint256[] memory distances = _uints(path, ".distances");
            assertEq(_numbers(Digests.distances(a, b)), distances, _what(path));
            assertEq(_numbers(Digests.distances(b, a)), distances, _what(path));
            assertEq(uint256(_zone(path, a, b)), _uint(path, ".zone"), _what(path));
        }
    }

    function test_winner() public {
        for (uint256 i = _open("tally", 35); i > 0; --i) {
            string memory path = _at(i - 1);
            bytes32[] memory digests = vm.parseJsonBytes32Array(_json, string.concat(path, ".digests"));
            uint256 quorum = Tally.quorum(_uint(path, ".committeeSize"), _bool(path, ".superMajority"));
            assertEq(quorum, _uint(path, ".quorum"), _what(path));

            (uint256 support, uint256 winner) = Tally.winnerOf(_lanes(path, ".accept"), quorum, digests);
            assertEq(support > 0, _bool(path, ".accepted"), _what(path));
            if (support == 0) continue;
            assertEq(digests[winner], _word(path, ".winner"), _what(path));
            (uint256[] memory zones, uint256[] memory supporters) = _sight(path, digests[winner], digests);
            assertEq(zones, _uints(path, ".zones"), _what(path));
            assertEq(supporters, _uints(path, ".supporters"), _what(path));
            assertEq(support, supporters.length, _what(path));
        }
    }

    /// @dev How the winner sees each digest, and which ones it accepts.
    function _sight(string memory path, bytes32 winner, bytes32[] memory digests)
        private
        view
        returns (uint256[] memory zones, uint256[] memory supporters)
    {
        (zones, supporters) = (new uint256[](digests.length), new uint256[](digests.length));
        uint256 count;
        for (uint256 i; i < digests.length; ++i) {
            IGenerationOracle.Zone zone = _zone(path, winner, digests[i]);
            zones[i] = uint256(zone);
            if (zone == IGenerationOracle.Zone.Accepted) supporters[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(supporters, count)
        }
    }

    /// @dev A round of one whose verdict is the first one, in the light of the second.
    function test_sameVerdict() public {
        for (uint256 i = _open("same", 7); i > 0; --i) {
            string memory path = _at(i - 1);
            Rulings.Rules memory rules;
            (rules.accept, rules.reject, rules.quorum) = (_lanes(path, ".accept"), type(uint256).max >> 1, 1);
            Rulings.Ballot memory ballot;
            if (_bool(path, ".aAccepted")) ballot = _alone(_word(path, ".a"));

            (bool changed,) = Rulings.review(rules, ballot, _bool(path, ".bAccepted"), _word(path, ".b"));
            assertEq(!changed, _bool(path, ".same"), _what(path));
        }
    }

    function _alone(bytes32 digest) private pure returns (Rulings.Ballot memory ballot) {
        (ballot.state.voted, ballot.state.done, ballot.size) = (1, 1, 1);
        ballot.digests = new bytes32[](1);
        ballot.digests[0] = digest;
    }

    // ----------------------------------------------------------------------------------------------------------- the money

    function test_fees() public {
        for (uint256 i = _open("fees", 32); i > 0; --i) {
            string memory path = _at(i - 1);
            IGenerationOracle.Job memory job = _job(path);
            uint8 number = uint8(_uint(path, ".number"));
            uint8 size = Rulings.sizeOf(job.terms.committeeSize, number);

            assertEq(size, _uint(path, ".size"), path);
            assertEq(job.escrowOf(number, size), _uint(path, ".escrow"), path);
            assertEq(job.drawBounty(size), _uint(path, ".drawBounty"), path);
            assertEq(job.settleBounty(size), _uint(path, ".settleBounty"), path);
            assertEq(job.deliverBounty(), _uint(path, ".deliverBounty"), path);
            assertEq(job.feeOf(), _uint(path, ".fee"), path);
            assertEq(job.royaltyOn(_uint(path, ".earned")), _uint(path, ".royalty"), path);
            (uint256 safeValue,) = lens.safeValueOf(job);
            assertEq(safeValue, _uint(path, ".safeValue"), path);
            _checkRest(path, job, number, size);
        }
    }

    /// @dev What goes back is what is left of the escrow; a royalty is paid by accepted first rounds only.
    function _checkRest(string memory path, IGenerationOracle.Job memory job, uint8 number, uint8 size) private view {
        uint256 earned = _uint(path, ".earned");
        uint256 royalty = number == 1 && earned > 0 ? job.royaltyOn(earned) : 0;
        uint256 paid = earned + royalty + job.drawBounty(size) + job.settleBounty(size);
        assertEq(job.escrowOf(number, size) - paid, _uint(path, ".rest"), path);
    }

    function test_standing() public {
        for (uint256 i = _open("standing", 40); i > 0; --i) {
            string memory path = _at(i - 1);
            Standing standing = _standing(path);
            (uint96 share, uint96 bond) = (uint96(_uint(path, ".share")), uint96(_uint(path, ".bond")));

            assertEq(uint256(standing), _uint(path, ".standing"), path);
            assertEq(standing.earned(share), _uint(path, ".earned"), path);
            assertEq(standing.lost(share, bond), _uint(path, ".lost"), path);
            assertEq(standing.isSlashed(), _bool(path, ".slashed"), path);
        }
    }

    /// @dev As `Rulings` finds it: who revealed while nobody won is not judged.
    function _standing(string memory path) private view returns (Standing) {
        IGenerationOracle.Step step = IGenerationOracle.Step(_uint(path, ".step"));
        if (step != IGenerationOracle.Step.Revealed) {
            return Standings.ofUnrevealed(step, _bool(path, ".excused"), _bool(path, ".anyRevealed"));
        }
        if (!_bool(path, ".accepted")) return Standing.Unjudged;
        return Standings.ofZone(IGenerationOracle.Zone(_uint(path, ".zone")), _bool(path, ".fixedSeed"));
    }

    function test_offer() public {
        for (uint256 i = _open("offer", 13); i > 0; --i) {
            string memory path = _at(i - 1);
            bytes memory encoded = vm.parseJsonBytes(_json, string.concat(path, ".model"));
            IModelRegistry.Model memory model = abi.decode(encoded, (IModelRegistry.Model));
            vm.prank(model.owner);
            bytes32 id = models.register(model, "");
            vm.fee(_uint(path, ".baseFee"));
            bool isImage = model.kind == IModelRegistry.Kind.Image;
            bytes memory spec_ = vm.parseJsonBytes(_json, string.concat(path, ".spec"));

            IModelRegistry.Offer memory offer = isImage ? this.offerForImage(id, spec_) : this.offerForText(id, spec_);
            assertEq(offer.bond, _uint(path, ".bond"), path);
            assertEq(offer.leastShare, _uint(path, ".leastShare"), path);
            assertEq(offer.mostShare, _uint(path, ".mostShare"), path);
            assertEq(offer.patience, _uint(path, ".patience"), path);
            IGenerationOracle.Terms memory terms_;
            (terms_.committeeSize, terms_.share) = (5, offer.leastShare);
            (bytes32 hash, uint256 fee) =
                isImage ? this.quoteImage(id, spec_, terms_) : this.quoteText(id, spec_, terms_);
            assertEq(hash, _word(path, ".specHash"), path);
            assertEq(fee, _uint(path, ".feeOfFive"), path);
        }
    }

    /// @dev Specs are measured and hashed where they lie in the calldata.
    function offerForImage(bytes32 id, bytes calldata spec_) external view returns (IModelRegistry.Offer memory) {
        return models.offerForImage(id, _image(spec_).measured());
    }

    function offerForText(bytes32 id, bytes calldata spec_) external view returns (IModelRegistry.Offer memory) {
        return models.offerForText(id, _text(spec_).measured());
    }

    function quoteImage(bytes32 id, bytes calldata spec_, IGenerationOracle.Terms calldata terms_)
        external
        view
        returns (bytes32, uint256)
    {
        return (_image(spec_).hashOf(), lens.quoteImage(id, _image(spec_), terms_).fee);
    }

    function quoteText(bytes32 id, bytes calldata spec_, IGenerationOracle.Terms calldata terms_)
        external
        view
        returns (bytes32, uint256)
    {
        return (_text(spec_).hashOf(), lens.quoteText(id, _text(spec_), terms_).fee);
    }

    /// @dev An encoded struct is the offset of its parts, and then they.
    function _image(bytes calldata encoded) private pure returns (IGenerationOracle.ImageSpec calldata spec_) {
        assembly ("memory-safe") {
            spec_ := add(encoded.offset, calldataload(encoded.offset))
        }
    }

    function _text(bytes calldata encoded) private pure returns (IGenerationOracle.TextSpec calldata spec_) {
        assembly ("memory-safe") {
            spec_ := add(encoded.offset, calldataload(encoded.offset))
        }
    }

    // ---------------------------------------------------------------------------------------------------- the test files

    /// @return cases how many there are: as many as expected, and not one more
    function _open(string memory name, uint256 expected) private returns (uint256 cases) {
        _json = vm.readFile(string.concat("tests/vectors/", name, ".json"));
        while (vm.keyExistsJson(_json, _at(cases))) ++cases;
        assertEq(cases, expected, name);
    }

    function _at(uint256 index) private pure returns (string memory) {
        return string.concat(".cases[", vm.toString(index), "]");
    }

    function _what(string memory path) private view returns (string memory) {
        return vm.parseJsonString(_json, string.concat(path, ".what"));
    }

    function _uint(string memory path, string memory key) private view returns (uint256) {
        return vm.parseJsonUint(_json, string.concat(path, key));
    }

    function _word(string memory path, string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(_json, string.concat(path, key));
    }

    function _bool(string memory path, string memory key) private view returns (bool) {
        return vm.parseJsonBool(_json, string.concat(path, key));
    }

    function _uints(string memory path, string memory key) private view returns (uint256[] memory) {
        return vm.parseJsonUintArray(_json, string.concat(path, key));
    }

    function _job(string memory path) private view returns (IGenerationOracle.Job memory) {
        return abi.decode(vm.parseJsonBytes(_json, string.concat(path, ".job")), (IGenerationOracle.Job));
    }

    /// @dev What the constructor fixes is in the code and goes with it.
    function _oracleOf(string memory path) private returns (IGenerationOracle there) {
        there = IGenerationOracle(vm.parseJsonAddress(_json, string.concat(path, ".contract")));
        vm.etch(address(there), address(oracle).code);
        vm.chainId(_uint(path, ".chainId"));
    }

    function _lanes(string memory path, string memory key) private view returns (uint256) {
        uint256[] memory bounds = _uints(path, key);
        uint256 packed = (bounds[0] << 24) | (bounds[1] << 16) | (bounds[2] << 8) | bounds[3];
        return Digests.lanes(bytes4(uint32(packed)));
    }

    function _zone(string memory path, bytes32 winner, bytes32 digest) private view returns (IGenerationOracle.Zone) {
        return Digests.zone(_lanes(path, ".accept"), _lanes(path, ".reject"), winner, digest);
    }

    function _numbers(uint8[4] memory four) private pure returns (uint256[] memory numbers) {
        numbers = new uint256[](4);
        for (uint256 lane; lane < 4; ++lane) {
            numbers[lane] = four[lane];
        }
    }
}
