// What an answer must obey, as the command line says it.
//
// Ownership: a value. Threads: one. Errors: kNotFound and kIo for the file, kUsage for what is
// malformed, kUnsupported for what cannot be enforced.
#pragma once
#include <CLI/App.hpp>

#include <memory>
#include <string>

#include "tutti/base/status.h"
#include "tutti/cli/model_loader.h"
#include "tutti/text/grammar.h"

namespace tutti::cli {

class GrammarOptions {
 public:
  void Declare(CLI::App& app);
  // Before the model is loaded: is it possible?
  Status Compile();
  // Null where the answer is free.
  Result<std::shared_ptr<const TokenConstraint>> Bind(const LoadedModel& loaded) const;

 private:
  std::string file_;  // *.json: a schema, *.regex: an expression, otherwise EBNF
  std::shared_ptr<const text::Grammar> grammar_;  // shared with the constraint
};

}  // namespace tutti::cli
