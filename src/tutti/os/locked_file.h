// A regular file that this program reads and writes at any offset while no other one does.
//
// Ownership: owns the descriptor and the lock. Threads: ReadAt and WriteAt from any, at the same
// time. Errors: kIo with the system's reason, kData from ReadAt where the file ends before, and
// from Open kResource where another program has it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "tutti/base/status.h"

namespace tutti::os {

class LockedFile {
 public:
  // Made where it does not exist, readable by its owner alone. A symbolic link is refused.
  static Result<LockedFile> Open(const std::filesystem::path& path);
  LockedFile() = default;  // no file
  LockedFile(LockedFile&& other) noexcept;
  LockedFile& operator=(LockedFile&& other) noexcept;
  ~LockedFile();

  const std::filesystem::path& path() const { return path_; }
  Result<int64_t> Size() const;
  Status Resize(int64_t size_bytes);
  Status ReadAt(int64_t offset, std::span<std::byte> bytes) const;
  Status WriteAt(int64_t offset, std::span<const std::byte> bytes);

 private:
  Status Failed(std::string_view what) const;

  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace tutti::os
