// Looks up the weights of one model by name and checks their shapes; the errors name the tensor.
//
// Threads: one at a time. Errors: kData for a missing tensor or another shape than wanted,
// kUnsupported for a form of storage that Tutti cannot compute with yet.
#pragma once
#include <cstdint>
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
  explicit WeightFinder(const ModelSource& source) : source_(source) {}

  // A weight in any of the forms in which weights are stored; a tensor of exactly this name.
  bool Has(std::string_view name) const;
  bool HasTensor(std::string_view name) const { return source_.Find(name) != nullptr; }
  Result<tensor::WeightView> Matrix(const std::string& name, int64_t rows, int64_t cols);
  // Matrix `index` of a stack of exactly `count`.
  Result<tensor::WeightView> OfStack(const std::string& name, int64_t index, int64_t count,
                                     int64_t rows, int64_t cols);
  Result<std::vector<float>> Vector(const std::string& name, int64_t size);

  // A weight that is there and not needed (the same numbers come in another form).
  void Ignore(std::string_view name);
  // A tensor in one of the model's layers that nobody asked for means that the checkpoint computes
  // something we do not know of: kUnsupported with its name. `prefix` is TensorNames::layer_prefix.
  Status CheckNothingLeft(std::string_view prefix, int64_t layers) const;

 private:
  Status Explain(const std::string& name, const Status& status) const;
  Status CheckShape(const std::string& name, const tensor::WeightView& view, int64_t rows,
                    int64_t cols) const;

  const ModelSource& source_;
  std::set<std::string, std::less<>> used_;  // names without ".weight"
};

}  // namespace tutti::model
