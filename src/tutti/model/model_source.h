// What a model is read from: an opened checkpoint, seen without knowing who opened it.
//
// Non-owning: the checkpoint must outlive it and everything made from it.
#pragma once
#include <string>

#include "tutti/spec/metadata.h"
#include "tutti/tensor/tensor_map.h"

namespace tutti::model {

struct ModelSource {
  bool gguf = false;  // names and keys of GGUF, otherwise those of Hugging Face
  std::string where;  // for messages: the file or folder
  const Metadata& metadata;
  const tensor::TensorMap& tensors;

  const tensor::TensorView* Find(std::string_view name) const {
    const auto it = tensors.find(name);
    return it == tensors.end() ? nullptr : &it->second;
  }
};

}  // namespace tutti::model
