// Writes the inputs that gguf_fuzz starts from: gguf_seeds FOLDER.
#include <cstdio>

#include "tests/gguf_example.h"
#include "tutti/os/file.h"

namespace tutti {
namespace {

Status WriteSeeds(const std::filesystem::path& folder) {
  TUTTI_ASSIGN_OR_RETURN(const format::GgufWriter example, testing::ExampleGguf());
  TUTTI_RETURN_IF_ERROR(example.Write(folder / "example"));

  format::GgufWriter values;
  TUTTI_RETURN_IF_ERROR(testing::SetExampleValues(values));
  TUTTI_RETURN_IF_ERROR(values.Write(folder / "values"));

  for (const TokenizerAlgorithm algorithm :
       {TokenizerAlgorithm::kByteBpe, TokenizerAlgorithm::kSentencePiece,
        TokenizerAlgorithm::kUnigram}) {
    VocabSpec spec = testing::ExampleVocab();
    spec.algorithm = algorithm;
    spec.scores.assign(spec.tokens.size(), -1.0f);
    format::GgufWriter vocab;
    TUTTI_RETURN_IF_ERROR(format::SetGgufVocab(spec, vocab));
    TUTTI_RETURN_IF_ERROR(
        vocab.Write(folder / fmt::format("vocab{}", static_cast<int>(algorithm))));
  }

  format::GgufWriter tensors;
  const std::string bytes = testing::ExampleBytes(34, 0);
  TUTTI_RETURN_IF_ERROR(
      tensors.AddTensor("a", DType::kQ8_0, {{1, 32}, 2}, std::as_bytes(std::span(bytes))));
  TUTTI_RETURN_IF_ERROR(
      tensors.AddTensor("b", DType::kI8, {{34}, 1}, std::as_bytes(std::span(bytes))));
  TUTTI_RETURN_IF_ERROR(tensors.Write(folder / "tensors"));
  TUTTI_ASSIGN_OR_RETURN(std::string version2, tensors.ToBytes());
  version2[4] = 2;
  return os::WriteFile(folder / "version2", version2);
}

}  // namespace
}  // namespace tutti

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  const tutti::Status status = tutti::WriteSeeds(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "gguf_seeds: %s\n", status.message().c_str());
  return status.ok() ? 0 : 74;
}
