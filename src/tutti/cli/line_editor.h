// A line from the keyboard: editing and history on a terminal (libedit), plain lines otherwise.
//
// A pasted block arrives as one entry: terminals that know bracketed paste mark it, and its
// newlines do not end the entry. Ctrl-C gives up the entry, Ctrl-D on an empty one ends the input.
//
// Threads: one; one editor per process at a time (libedit talks to the terminal).
#pragma once
#include <memory>
#include <string>

#include "tutti/base/status.h"
#include "tutti/cli/console.h"

namespace tutti::cli {

class LineEditor {
 public:
  enum class Outcome { kLine, kGoesOn, kGivenUp, kEnd };
  struct Entry {
    Outcome outcome = Outcome::kEnd;  // kGoesOn: a line in the middle of a pasted block
    std::string text;                 // without its newline
  };

  static std::unique_ptr<LineEditor> Create(Console& console);
  virtual ~LineEditor() = default;

  virtual Result<Entry> Read(const std::string& prompt) = 0;
  virtual void AddHistory(const std::string& text) = 0;
};

}  // namespace tutti::cli
