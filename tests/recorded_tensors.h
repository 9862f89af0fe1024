// Reads the recorded tensors that tests compare with: safetensors files made by our own scripts.
//
// For trusted files only and without format/, so that the tests of folders below it can use it.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace tutti::testing {

class RecordedTensors {
 public:
  explicit RecordedTensors(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    uint64_t header_size = 0;
    if (bytes_.size() < 8) return;
    std::memcpy(&header_size, bytes_.data(), 8);
    header_ = std::string(bytes_.data() + 8, header_size);
    data_begin_ = 8 + header_size;
  }

  bool Has(const std::string& name) const { return Find(name) != std::string::npos; }

  // Outermost dimension first.
  std::vector<int64_t> Shape(const std::string& name) const { return Numbers(name, "\"shape\""); }

  std::span<const std::byte> Bytes(const std::string& name) const {
    const std::vector<int64_t> offsets = Numbers(name, "\"data_offsets\"");
    if (offsets.size() != 2) return {};
    const char* begin = bytes_.data() + data_begin_ + offsets[0];
    return {reinterpret_cast<const std::byte*>(begin),
            static_cast<size_t>(offsets[1] - offsets[0])};
  }

  template <typename T>
  std::vector<T> Values(const std::string& name) const {
    const std::span<const std::byte> bytes = Bytes(name);
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
  }

 private:
  size_t Find(const std::string& name) const { return header_.find("\"" + name + "\":{"); }

  std::vector<int64_t> Numbers(const std::string& name, const std::string& key) const {
    std::vector<int64_t> numbers;
    const size_t at = Find(name);
    EXPECT_NE(at, std::string::npos) << "no recorded tensor " << name;
    if (at == std::string::npos) return numbers;
    const char* cursor = header_.c_str() + header_.find('[', header_.find(key, at)) + 1;
    while (*cursor != ']') {
      char* end = nullptr;
      numbers.push_back(std::strtoll(cursor, &end, 10));
      cursor = *end == ',' ? end + 1 : end;
    }
    return numbers;
  }

  std::vector<char> bytes_;
  std::string header_;
  size_t data_begin_ = 0;
};

}  // namespace tutti::testing
