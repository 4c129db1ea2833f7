// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IGenerationConsumer} from "../interfaces/IGenerationConsumer.sol";
import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";

/// @title Art that a named model made of a named prompt, or no token
/// @notice One token for each job that the oracle accepted with the collection's model and enough at risk. The token's
/// number is the job's id, and what it stands for is the digest of the verdict: whoever holds a picture can tell by its
/// perceptual hash whether it is the token's. Its owner is who paid for the job.
///
/// Name this contract as the consumer of a request's terms and `deliver` mints; or hand in the verdict later.
///
/// ERC-7007: `aigcData` is the ABI-encoded digest, and `proof` the ABI-encoded job and spec; the oracle, not a
/// zero-knowledge proof, stands behind them.
contract VerifiedArt is ERC721, IGenerationConsumer {
    /// @dev ERC-7007: `addAigcData` and `verify`.
    bytes4 private constant ERC7007 = 0x702c55a6;

    IGenerationOracle public immutable oracle;
    bytes32 public immutable modelId;
    /// @notice What a fraud must be sure to lose, in wei, for its verdict to be good enough here.
    uint256 public immutable leastSafeValue;

    /// @notice The digest of a token's picture.
    mapping(uint256 tokenId => bytes32) public digestOf;
    mapping(uint256 tokenId => bytes32) private _specHashOf;

    /// @dev ERC-7007.
    event AigcData(uint256 indexed tokenId, bytes indexed prompt, bytes indexed aigcData, bytes proof);

    error NotOracle(address caller);
    error NotFinal(bytes32 jobId);
    error NotAccepted(bytes32 jobId);
    error OtherModel(bytes32 modelId);
    error SafeValueTooSmall(uint256 safeValue, uint256 least);
    error WrongProof(uint256 tokenId);

    constructor(string memory name, string memory symbol, IGenerationOracle oracle_, bytes32 model, uint256 safeValue)
        ERC721(name, symbol)
    {
        (oracle, modelId, leastSafeValue) = (oracle_, model, safeValue);
    }

    /// @inheritdoc IGenerationConsumer
    function onVerdict(bytes32 jobId, IGenerationOracle.Job calldata job, IGenerationOracle.Verdict calldata verdict)
        external
    {
        require(msg.sender == address(oracle), NotOracle(msg.sender));

        _mintFor(jobId, job, verdict);
    }

    /// @notice Mints to who paid for the job, whoever sends it.
    function mint(IGenerationOracle.Job calldata job, IGenerationOracle.Verdict calldata verdict) external {
        bytes32 jobId = oracle.idOf(job);
        require(oracle.isFinal(jobId, verdict), NotFinal(jobId));

        _mintFor(jobId, job, verdict);
    }

    /// @dev Not `_safeMint`: who paid for a job must not be able to make the delivery fail. A second mint of the same job fails
    /// in ERC721.
    function _mintFor(bytes32 jobId, IGenerationOracle.Job calldata job, IGenerationOracle.Verdict calldata verdict)
        private
    {
        require(job.modelId == modelId, OtherModel(job.modelId));
        require(verdict.outcome == IGenerationOracle.Outcome.Accepted, NotAccepted(jobId));
        bool safe = verdict.safeValue >= leastSafeValue;
        require(safe, SafeValueTooSmall(verdict.safeValue, leastSafeValue));

        uint256 tokenId = uint256(jobId);
        (digestOf[tokenId], _specHashOf[tokenId]) = (verdict.digest, job.specHash);
        _mint(job.requester, tokenId);
    }

    // -------------------------------------------------------------------------------------------------------- ERC-7007

    /// @notice Publishes a token's prompt, proved to be the job's.
    function addAigcData(uint256 tokenId, bytes calldata prompt, bytes calldata aigcData, bytes calldata proof)
        external
    {
        require(_tokenOf(proof) == tokenId && verify(prompt, aigcData, proof), WrongProof(tokenId));

        emit AigcData(tokenId, prompt, aigcData, proof);
    }

    /// @notice Whether there is a token for that prompt and digest.
    function verify(bytes calldata prompt, bytes calldata aigcData, bytes calldata proof) public view returns (bool) {
        (, IGenerationOracle.ImageSpec memory spec) =
            abi.decode(proof, (IGenerationOracle.Job, IGenerationOracle.ImageSpec));
        uint256 tokenId = _tokenOf(proof);
        bool specified = keccak256(abi.encode(IModelRegistry.Kind.Image, spec)) == _specHashOf[tokenId];
        bool prompted = keccak256(spec.prompt) == keccak256(prompt);
        bool digested = digestOf[tokenId] != 0 && keccak256(abi.encode(digestOf[tokenId])) == keccak256(aigcData);
        return specified && prompted && digested;
    }

    function _tokenOf(bytes calldata proof) private view returns (uint256) {
        (IGenerationOracle.Job memory job,) = abi.decode(proof, (IGenerationOracle.Job, IGenerationOracle.ImageSpec));
        return uint256(oracle.idOf(job));
    }

    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == ERC7007 || super.supportsInterface(interfaceId);
    }

    // -------------------------------------------------------------------------------------------------------- metadata

    /// @notice JSON in a data URL. No address of a picture: nobody attests one.
    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        _requireOwned(tokenId);
        string memory json = string.concat(
            '{"name":"',
            Strings.escapeJSON(name()),
            '","attributes":[{"trait_type":"job","value":"',
            Strings.toHexString(tokenId, 32),
            '"},{"trait_type":"model","value":"',
            Strings.toHexString(uint256(modelId), 32),
            '"},{"trait_type":"digest","value":"',
            Strings.toHexString(uint256(digestOf[tokenId]), 32),
            '"}]}'
        );
        return string.concat("data:application/json;base64,", Base64.encode(bytes(json)));
    }
}
