// Looks up the weights of one model by name and checks their shapes; the errors name the tensor.
//
// Threads: one at a time. Errors: kData for a missing tensor or another shape than wanted,
// kUnsupported for a form of storage that Tutti cannot compute with yet.
#pragma once
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/model/model_source.h"
#include "tutti/tensor/view.h"

namespace tutti::model {

class WeightFinder {
 public:
  // `owned` receives the bytes of converted matrices.
  WeightFinder(const ModelSource& source, std::vector<std::vector<std::byte>>& owned)
      : source_(source), owned_(owned) {}

  // A weight in any of the forms in which weights are stored; a tensor of exactly this name.
  bool Has(std::string_view name) const;
  bool HasTensor(std::string_view name) const { return source_.Find(name) != nullptr; }
  Result<tensor::WeightView> Matrix(const std::string& name, int64_t rows, int64_t cols) const;
  // Matrix `index` of a stack of exactly `count`.
  Result<tensor::WeightView> OfStack(const std::string& name, int64_t index, int64_t count,
                                     int64_t rows, int64_t cols) const;
  Result<std::vector<float>> Vector(const std::string& name, int64_t size) const;

  // A weight that is there and not needed (the same numbers come in another form).
  void Ignore(std::string_view name);
  // A tensor in one of the model's layers that nobody asked for means that the checkpoint computes
  // something we do not know of: kUnsupported with its name. `prefix` is TensorNames::layer_prefix.
  Status CheckNothingLeft(std::string_view prefix, int64_t layers) const;

  // Copies that no published tensor has. Plain numbers keep their type, everything else becomes
  // F32.
  tensor::WeightView Transposed(const tensor::WeightView& matrix) const;
  tensor::WeightView Copy(const tensor::WeightView& matrix) const;

 private:
  Status Explain(const std::string& name, const Status& status) const;
  Status CheckShape(const std::string& name, const tensor::WeightView& view, int64_t rows,
                    int64_t cols) const;
  std::byte* Allocate(size_t size_bytes) const;

  const ModelSource& source_;
  std::vector<std::vector<std::byte>>& owned_;
  mutable std::set<std::string, std::less<>> used_;  // names without ".weight"
};

}  // namespace tutti::model
