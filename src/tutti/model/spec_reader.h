// Reads the numbers of a ModelSpec from a checkpoint's metadata of either kind.
//
// One call names the thing twice, as config.json calls it and as GGUF calls it:
//
//   spec.dim = reader.Int({"hidden_size", "embedding_length"});
//
// The GGUF key stands for "<architecture>.<key>". An empty key means that this kind of checkpoint
// does not record the thing; it is then absent. A call without a fallback needs the key.
//
// Errors: the first one is kept and every later value is a harmless default, so that a description
// reads from top to bottom; the caller asks status() at the end. Numbers outside of what any model
// could have (negative sizes, more than 2^31) are errors here, relations between numbers are
// checked by ValidateSpec (model/validate_spec.h).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/model/model_source.h"

namespace tutti::model {

struct Key {
  std::string_view hugging_face;
  std::string_view gguf;
};

class SpecReader {
 public:
  // `gguf_architecture` is the value of general.architecture, unused for Hugging Face.
  SpecReader(const ModelSource& source, std::string gguf_architecture)
      : source_(source), prefix_(std::move(gguf_architecture)) {}

  bool gguf() const { return source_.gguf; }
  const ModelSource& source() const { return source_; }

  bool Has(Key key) const;
  int32_t Int(Key key);
  int32_t Int(Key key, int32_t fallback);
  double Number(Key key);
  double Number(Key key, double fallback);
  float Float(Key key, float fallback) { return static_cast<float>(Number(key, fallback)); }
  bool Bool(Key key, bool fallback);
  std::string String(Key key, std::string_view fallback);
  // A scalar counts as a list of one; absent: empty.
  std::vector<int64_t> Ints(Key key);
  std::vector<std::string> Strings(Key key);

  // True where the checkpoint has a tensor of this name.
  bool HasTensor(std::string_view name) const { return source_.Find(name) != nullptr; }

  void Fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  const Status& status() const { return status_; }

 private:
  // The full metadata key, empty where this kind of checkpoint has none.
  std::string FullKey(Key key) const;
  template <typename T>
  std::optional<T> Take(const std::string& key, Result<std::optional<T>> value);
  std::optional<int32_t> TryInt(Key key);
  std::optional<double> TryNumber(Key key);

  const ModelSource& source_;
  std::string prefix_;
  Status status_;
};

}  // namespace tutti::model
