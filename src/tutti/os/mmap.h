// A file mapped read-only into memory.
//
// The mapping is private to the process and read-only; the page cache is shared with others. A file
// that another process truncates while it is mapped raises SIGBUS on access: the caller cannot
// prevent that, so model files must not be changed in place (docs/formats/gguf.md).
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>

#include "tutti/base/status.h"

namespace tutti::os {

class MmapFile {
 public:
  // kNotFound where there is no such file, kIo where it cannot be read; an empty file maps to an
  // empty span.
  static Result<MmapFile> Open(const std::filesystem::path& path);

  MmapFile() = default;
  MmapFile(MmapFile&& other) noexcept;
  MmapFile& operator=(MmapFile&& other) noexcept;
  MmapFile(const MmapFile&) = delete;
  MmapFile& operator=(const MmapFile&) = delete;
  ~MmapFile();

  // What was read of the file so far no longer counts as memory of this process; reading it again
  // takes it from the page cache or the disk.
  void Forget() const;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tutti::os
