// Writes GGUF files with our writer for other readers to check (check_gguf.py):
//
//   gguf_interop example OUT       every kind of value and several tensor types
//   gguf_interop copy IN OUT       a model read and written again
#include <cstdio>

#include "tests/gguf_example.h"
#include "tutti/format/checkpoint.h"

namespace tutti {
namespace {

Status WriteExample(const char* out) {
  TUTTI_ASSIGN_OR_RETURN(const format::GgufWriter writer, testing::ExampleGguf());
  return writer.Write(out);
}

Status Copy(const char* in, const char* out) {
  TUTTI_ASSIGN_OR_RETURN(const format::Checkpoint model, format::OpenCheckpoint(in));
  format::GgufWriter writer;
  for (const auto& [key, value] : model.metadata.values()) {
    writer.Set(key, format::GgufValueOf(value));
  }
  if (model.vocab != nullptr) {
    TUTTI_RETURN_IF_ERROR(format::SetGgufVocab(*model.vocab, writer));
  }
  for (const auto& [name, view] : model.tensors) {
    TUTTI_RETURN_IF_ERROR(
        writer.AddTensor(name, view.dtype, view.shape, std::span(view.data, view.size_bytes)));
  }
  return writer.Write(out);
}

Status Run(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "example" && argc == 3) return WriteExample(argv[2]);
  if (mode == "copy" && argc == 4) return Copy(argv[2], argv[3]);
  return UsageError("usage: gguf_interop example OUT | gguf_interop copy IN OUT");
}

}  // namespace
}  // namespace tutti

int main(int argc, char** argv) {
  const tutti::Status status = tutti::Run(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "gguf_interop: %s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
