// Where a command may write its result: never over what it reads.
//
// A file has many names (links, other spellings of a path): what counts is whether both are the
// same file on the same device. Threads: any. Errors: kUsage where the result would replace
// something that is read, those of os::CheckWritable.
#pragma once
#include <filesystem>
#include <initializer_list>

#include "tutti/base/status.h"
#include "tutti/cli/model_loader.h"
#include "tutti/format/checkpoint.h"

namespace tutti::cli {

// Before the work begins. The files of the model are those that are mapped, and in its folder those
// that describe it; `others`: what else is read.
Status CheckOutput(const std::filesystem::path& out, const ModelChoice& choice,
                   const format::Checkpoint& checkpoint,
                   std::initializer_list<std::filesystem::path> others = {});

}  // namespace tutti::cli
