#include "tutti/base/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/memory_resource.hpp>
#include <boost/json/storage_ptr.hpp>
#include <boost/json/value_stack.hpp>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tutti/base/printable.h"

namespace tutti {
namespace {

namespace json = boost::json;
using json::error_code;

// Counts what parsing takes; thrown through Boost.JSON's code, which is safe against exceptions.
struct OverBudget {};

class Budget {
 public:
  explicit Budget(size_t bytes) : left_(bytes) {}
  void Take(size_t bytes) {
    if (bytes > left_) throw OverBudget();
    left_ -= bytes;
  }
  void GiveBack(size_t bytes) { left_ += bytes; }
  // A value that is there may be changed by its owner as he likes.
  void Lift() { left_ = SIZE_MAX / 2; }

 private:
  size_t left_;
};

// The parser's stack: grows and shrinks.
class CountedHeap final : public json::memory_resource {
 public:
  explicit CountedHeap(Budget& budget) : budget_(budget) {}

 private:
  void* do_allocate(size_t bytes, size_t align) override {
    budget_.Take(bytes);
    return ::operator new(bytes, std::align_val_t(align));
  }
  void do_deallocate(void* data, size_t bytes, size_t align) override {
    ::operator delete(data, std::align_val_t(align));
    budget_.GiveBack(bytes);
  }
  bool do_is_equal(const json::memory_resource& other) const noexcept override {
    return this == &other;
  }

  Budget& budget_;
};

// What the values are made of: taken piece by piece, freed at once with the last value.
class Arena final : public json::memory_resource {
 public:
  // The values, and the arena with them, outlive the parser.
  explicit Arena(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}

 private:
  static constexpr size_t kBlockBytes = 64 << 10;

  void* do_allocate(size_t bytes, size_t align) override {
    if (void* data = std::align(align, bytes, next_, left_)) return Advance(data, bytes);
    // Blocks come from `new[]`, which aligns for every type that JSON has.
    const size_t block = std::max(bytes, std::min(kBlockBytes, total_ + 1024));
    budget_->Take(block);
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(block));
    total_ += block;
    next_ = blocks_.back().get();
    left_ = block;
    return Advance(next_, bytes);
  }
  void do_deallocate(void*, size_t, size_t) override {}
  bool do_is_equal(const json::memory_resource& other) const noexcept override {
    return this == &other;
  }
  void* Advance(void* data, size_t bytes) {
    next_ = static_cast<std::byte*>(data) + bytes;
    left_ -= bytes;
    return data;
  }

  std::shared_ptr<Budget> budget_;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  void* next_ = nullptr;
  size_t left_ = 0;
  size_t total_ = 0;
};

// Builds the value as Boost.JSON's own parser does and looks at the keys on the way.
class Builder {
 public:
  static constexpr size_t max_object_size = json::object::max_size();
  static constexpr size_t max_array_size = json::array::max_size();
  static constexpr size_t max_key_size = json::string::max_size();
  static constexpr size_t max_string_size = json::string::max_size();

  Builder(json::storage_ptr heap, json::storage_ptr arena, Budget& budget, bool unique_keys)
      : stack_(std::move(heap)), budget_(budget), unique_keys_(unique_keys) {
    stack_.reset(std::move(arena));
  }

  json::value Release() { return stack_.release(); }
  const std::optional<std::string>& duplicate_key() const { return duplicate_key_; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    if (unique_keys_) keys_.emplace_back();
    return true;
  }
  bool on_object_end(size_t n, error_code&) {
    if (unique_keys_) ForgetKeys();
    stack_.push_object(n);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(size_t n, error_code&) {
    stack_.push_array(n);
    return true;
  }
  bool on_key_part(json::string_view s, size_t, error_code&) {
    if (unique_keys_) key_.append(s.data(), s.size());
    stack_.push_chars(s);
    return true;
  }
  bool on_key(json::string_view s, size_t, error_code& ec) {
    stack_.push_key(s);
    if (!unique_keys_) return true;
    key_.append(s.data(), s.size());
    budget_.Take(kKeyBytes + key_.size());
    if (!keys_.back().insert(key_).second) {
      duplicate_key_ = key_;
      ec = json::error::syntax;
      return false;
    }
    key_.clear();
    return true;
  }
  bool on_string_part(json::string_view s, size_t, error_code&) {
    stack_.push_chars(s);
    return true;
  }
  bool on_string(json::string_view s, size_t, error_code&) {
    stack_.push_string(s);
    return true;
  }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(int64_t i, json::string_view, error_code&) {
    stack_.push_int64(i);
    return true;
  }
  bool on_uint64(uint64_t u, json::string_view, error_code&) {
    stack_.push_uint64(u);
    return true;
  }
  bool on_double(double d, json::string_view, error_code&) {
    stack_.push_double(d);
    return true;
  }
  bool on_bool(bool b, error_code&) {
    stack_.push_bool(b);
    return true;
  }
  bool on_null(error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  // A node of the set beside the key's characters.
  static constexpr size_t kKeyBytes = 64;

  void ForgetKeys() {
    for (const std::string& key : keys_.back()) budget_.GiveBack(kKeyBytes + key.size());
    keys_.pop_back();
  }

  json::value_stack stack_;
  Budget& budget_;
  const bool unique_keys_;
  std::vector<std::unordered_set<std::string>> keys_;  // of the objects that are open
  std::string key_;
  std::optional<std::string> duplicate_key_;
};

}  // namespace

size_t JsonMemoryLimit(size_t text_bytes) { return (size_t{4} << 20) + 12 * text_bytes; }

Result<json::value> ParseJson(std::string_view text, const JsonOptions& options) {
  const size_t limit_bytes = JsonMemoryLimit(text.size());
  try {
    const auto budget = std::make_shared<Budget>(limit_bytes);
    CountedHeap heap(*budget);
    json::parse_options parse_options;
    parse_options.max_depth = options.max_depth;
    json::basic_parser<Builder> parser(parse_options, json::storage_ptr(&heap),
                                       json::make_shared_resource<Arena>(budget), *budget,
                                       options.unique_keys);
    error_code ec;
    size_t used = parser.write_some(false, text.data(), text.size(), ec);
    // What follows the value may be white space only.
    if (!ec && text.find_first_not_of(" \t\r\n", used) != std::string_view::npos) {
      ec = json::error::extra_data;
    }
    if (const auto& key = parser.handler().duplicate_key()) {
      return DataError("the key \"{}\" appears twice", Printable(*key));
    }
    if (ec) return DataError("not valid JSON near byte {}: {}", used, ec.message());
    json::value value = parser.handler().Release();
    budget->Lift();
    return value;
  } catch (const OverBudget&) {
    return DataError(
        "the JSON of {} bytes would take more than {} bytes of memory: it is made of too many tiny "
        "values to be a published file",
        text.size(), limit_bytes);
  } catch (const std::bad_alloc&) {
    return Error(StatusCode::kResource, "no memory left to read JSON of {} bytes", text.size());
  } catch (const std::exception& e) {
    return DataError("cannot be read as JSON: {}", e.what());
  }
}

std::string_view KindOf(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "true or false";
    case json::kind::int64:
    case json::kind::uint64:
      return "an integer";
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "a list";
    case json::kind::object:
      return "an object";
  }
  return "unknown";
}

}  // namespace tutti
