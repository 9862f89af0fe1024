#include "tutti/cli/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cwchar>
#include <deque>

#include "tutti/cli/standard_input.h"

namespace tutti::cli {
namespace {

constexpr int kHistoryEntries = 1000;
constexpr int kEscapeWait_ms = 25;  // the rest of an escape sequence arrives at once
constexpr std::string_view kPasteBegin = "\x1b[200~";
constexpr std::string_view kPasteEnd = "\x1b[201~";

class PlainLines final : public LineEditor {
 public:
  Result<Entry> Read(const std::string&) override {
    TUTTI_ASSIGN_OR_RETURN(auto line, lines_.Next());
    if (!line) return Entry{Outcome::kEnd, {}};
    return Entry{Outcome::kLine, *std::move(line)};
  }
  void AddHistory(const std::string&) override {}

 private:
  LineInput lines_;
};

// Bytes from the keyboard with the marks of a paste taken out.
class Keyboard {
 public:
  // The next byte, -1 at the end or on an error, -2 on Ctrl-C.
  int Next() {
    while (true) {
      if (!pending_.empty()) {
        const char c = pending_.front();
        pending_.pop_front();
        return static_cast<unsigned char>(c);
      }
      const int c = Read();
      if (c != '\x1b') return c;
      ReadSequence();
    }
  }
  bool pasting() const { return pasting_; }
  void Reset() {
    pasting_ = false;
    pending_.clear();
  }

 private:
  static int Read() {
    char c = 0;
    while (true) {
      if (!WaitForInput()) return -2;
      const ssize_t n = ::read(STDIN_FILENO, &c, 1);
      if (n == 1) return static_cast<unsigned char>(c);
      if (n == 0 || errno != EINTR) return -1;
    }
  }

  // After an escape: takes a paste mark away, keeps anything else for the editor.
  void ReadSequence() {
    std::string sequence = "\x1b";
    while (kPasteBegin.starts_with(sequence) || kPasteEnd.starts_with(sequence)) {
      if (sequence == kPasteBegin || sequence == kPasteEnd) {
        pasting_ = sequence == kPasteBegin;
        return;
      }
      pollfd keyboard{STDIN_FILENO, POLLIN, 0};
      if (poll(&keyboard, 1, kEscapeWait_ms) <= 0) break;
      const int c = Read();
      if (c < 0) break;
      sequence += static_cast<char>(c);
    }
    pending_.insert(pending_.end(), sequence.begin(), sequence.end());
  }

  std::deque<char> pending_;
  bool pasting_ = false;
};

class EditedLines final : public LineEditor {
 public:
  explicit EditedLines(Console& console) : console_(console) {
    // Widths and characters beyond ASCII; libedit needs some UTF-8 locale for them.
    if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1) {
      std::setlocale(LC_CTYPE, "C.UTF-8");
    }
    edit_ = el_init("tutti", stdin, stderr, stderr);
    history_ = history_init();
    HistEvent event;
    history(history_, &event, H_SETSIZE, kHistoryEntries);
    history(history_, &event, H_SETUNIQUE, 1);
    el_set(edit_, EL_CLIENTDATA, this);
    el_set(edit_, EL_PROMPT, &EditedLines::Prompt);
    el_set(edit_, EL_EDITOR, "emacs");
    el_set(edit_, EL_HIST, history, history_);
    el_set(edit_, EL_SIGNAL, 0);
    el_wset(edit_, EL_GETCFN, &EditedLines::GetCharacter);
    el_set(edit_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_set(edit_, EL_BIND, "\\e[1;5C", "em-next-word", nullptr);
    el_set(edit_, EL_BIND, "\\e[1;5D", "ed-prev-word", nullptr);
    el_set(edit_, EL_BIND, "\\e[3~", "ed-delete-next-char", nullptr);
  }
  ~EditedLines() override {
    history_end(history_);
    el_end(edit_);
  }
  EditedLines(const EditedLines&) = delete;
  EditedLines& operator=(const EditedLines&) = delete;

  Result<Entry> Read(const std::string& prompt) override {
    prompt_ = prompt;
    interrupted_ = false;
    goes_on_ = false;
    // Before the prompt: what is typed as soon as it shows must not be echoed a second time.
    el_set(edit_, EL_PREP_TERM, 1);
    if (console_.styled_stderr()) console_.Talk("\x1b[?2004h");
    int count = 0;
    const char* line = el_gets(edit_, &count);
    if (console_.styled_stderr()) console_.Talk("\x1b[?2004l");
    if (interrupted_ || Interrupted()) {
      ClearInterrupt();
      keyboard_.Reset();
      el_reset(edit_);
      console_.Talk("^C\n");
      return Entry{Outcome::kGivenUp, {}};
    }
    if (line == nullptr || count <= 0) {
      console_.Talk("\n");
      return Entry{Outcome::kEnd, {}};
    }
    std::string text(line, static_cast<size_t>(count));
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return Entry{goes_on_ ? Outcome::kGoesOn : Outcome::kLine, std::move(text)};
  }

  void AddHistory(const std::string& text) override {
    HistEvent event;
    history(history_, &event, H_ENTER, text.c_str());
  }

 private:
  static EditedLines* Self(EditLine* edit) {
    void* self = nullptr;
    el_get(edit, EL_CLIENTDATA, &self);
    return static_cast<EditedLines*>(self);
  }

  static char* Prompt(EditLine* edit) { return Self(edit)->prompt_.data(); }

  static int GetCharacter(EditLine* edit, wchar_t* out) {
    EditedLines& self = *Self(edit);
    std::mbstate_t state{};
    while (true) {
      const int c = self.keyboard_.Next();
      if (c < 0) {
        self.interrupted_ = c == -2;
        return c == -2 ? -1 : 0;
      }
      const char byte = static_cast<char>(c);
      const size_t used = std::mbrtowc(out, &byte, 1, &state);
      if (used == static_cast<size_t>(-2)) continue;  // a character needs more bytes
      if (used == static_cast<size_t>(-1)) {
        state = {};
        *out = L'?';
      }
      // Remembered when the line ends: did its newline come out of a paste?
      if (*out == L'\n' || *out == L'\r') {
        self.goes_on_ = self.keyboard_.pasting();
        *out = L'\n';
      }
      return 1;
    }
  }

  Console& console_;
  EditLine* edit_ = nullptr;
  History* history_ = nullptr;
  Keyboard keyboard_;
  std::string prompt_;
  bool interrupted_ = false;
  bool goes_on_ = false;
};

}  // namespace

std::unique_ptr<LineEditor> LineEditor::Create(Console& console) {
  if (console.stdin_is_terminal() && console.stderr_is_terminal()) {
    return std::make_unique<EditedLines>(console);
  }
  return std::make_unique<PlainLines>();
}

}  // namespace tutti::cli
