// SentencePiece's tokenizer.model: a ModelProto in the protobuf wire format. Of its fields
//   1 pieces (repeated): 1 piece, 2 score, 3 type
//   2 trainer_spec: 3 model_type, 35 byte_fallback, 40..43 unk, bos, eos and pad id
//   3 normalizer_spec: 1 name, 2 precompiled_charsmap, 3 add_dummy_prefix,
//     4 remove_extra_whitespaces, 5 escape_whitespaces
// are read; the others are skipped.
#include <cstring>
#include <optional>

#include "tutti/base/printable.h"
#include "tutti/text/tokenizer_files.h"

namespace tutti::text {
namespace {

constexpr uint64_t kBpe = 2;          // model_type
constexpr uint64_t kUserDefined = 4;  // type of a piece

struct Field {
  uint64_t number = 0;
  uint64_t value = 0;      // varint
  float fixed = 0;         // 32 bits
  std::string_view bytes;  // length-delimited
  bool is_bytes = false;
};

// One message. Every length is compared with what is left of the message around it.
class WireReader {
 public:
  // `offset` is where the message stands in the file.
  WireReader(std::string_view message, size_t offset) : message_(message), offset_(offset) {}

  bool AtEnd() const { return pos_ == message_.size(); }
  size_t offset() const { return offset_ + pos_; }

  Result<Field> Next() {
    const size_t begin = offset();
    TUTTI_ASSIGN_OR_RETURN(const uint64_t tag, Varint());
    Field field;
    field.number = tag >> 3;
    switch (tag & 7) {
      case 0: {
        TUTTI_ASSIGN_OR_RETURN(field.value, Varint());
        return field;
      }
      case 1:
        TUTTI_RETURN_IF_ERROR(Take(8).status());
        return field;
      case 2: {
        TUTTI_ASSIGN_OR_RETURN(const uint64_t size, Varint());
        TUTTI_ASSIGN_OR_RETURN(field.bytes, Take(size));
        field.is_bytes = true;
        return field;
      }
      case 5: {
        TUTTI_ASSIGN_OR_RETURN(const std::string_view bytes, Take(4));
        std::memcpy(&field.fixed, bytes.data(), 4);  // little-endian, as this machine
        return field;
      }
      default:
        return DataError("byte {}: unknown wire type {}", begin, tag & 7);
    }
  }

 private:
  Result<uint64_t> Varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (AtEnd()) return DataError("byte {}: the message ends inside a number", offset());
      const auto byte = static_cast<unsigned char>(message_[pos_++]);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    return DataError("byte {}: a number is longer than 64 bits", offset());
  }

  Result<std::string_view> Take(uint64_t size) {
    if (size > message_.size() - pos_) {
      return DataError("byte {}: {} bytes should follow, {} are left", offset(), size,
                       message_.size() - pos_);
    }
    pos_ += size;
    return message_.substr(pos_ - size, size);
  }

  std::string_view message_;
  size_t offset_;
  size_t pos_ = 0;
};

class Reader {
 public:
  explicit Reader(std::string_view content) : content_(content) {}

  Result<VocabSpec> Read() {
    spec_.algorithm = TokenizerAlgorithm::kSentencePiece;
    spec_.add_space_prefix = true;  // defaults of the format
    spec_.remove_extra_whitespace = true;
    spec_.silent_control = true;
    WireReader wire(content_, 0);
    while (!wire.AtEnd()) {
      TUTTI_ASSIGN_OR_RETURN(const Field field, wire.Next());
      const size_t begin = wire.offset() - field.bytes.size();
      if (field.number < 1 || field.number > 3) continue;
      if (!field.is_bytes) return DataError("byte {}: field {} is no message", begin, field.number);
      WireReader message(field.bytes, begin);
      TUTTI_RETURN_IF_ERROR(field.number == 1   ? ReadPiece(message)
                            : field.number == 2 ? ReadTrainer(message)
                                                : ReadNormalizer(message));
    }
    if (spec_.tokens.empty()) return DataError("no pieces in this SentencePiece model");
    if (model_type_ != kBpe) {
      return Unsupported("SentencePiece models of type {} are not supported, only BPE (2)",
                         model_type_);
    }
    Finish();
    return std::move(spec_);
  }

 private:
  Status ReadPiece(WireReader message) {
    const size_t begin = message.offset();
    std::string_view piece;
    float score = 0;
    uint64_t type = 1;
    while (!message.AtEnd()) {
      TUTTI_ASSIGN_OR_RETURN(const Field field, message.Next());
      if (field.number == 1) piece = field.bytes;
      if (field.number == 2) score = field.fixed;
      if (field.number == 3) type = field.value;
    }
    constexpr TokenKind kKinds[] = {TokenKind::kNormal,  TokenKind::kUnknown,
                                    TokenKind::kControl, TokenKind::kUserDefined,
                                    TokenKind::kUnused,  TokenKind::kByte};
    if (type < 1 || type > std::size(kKinds)) {
      return DataError("byte {}: piece \"{}\" has the unknown type {}", begin, Printable(piece),
                       type);
    }
    if (type == kUserDefined) {
      AddedTokenRule rule;
      rule.id = static_cast<TokenId>(spec_.tokens.size());
      rule.normalized = rule.verbatim = true;
      spec_.added_rules.push_back(rule);
    }
    spec_.tokens.emplace_back(piece);
    spec_.scores.push_back(score);
    spec_.kinds.push_back(kKinds[type - 1]);
    return Status();
  }

  Status ReadTrainer(WireReader message) {
    while (!message.AtEnd()) {
      TUTTI_ASSIGN_OR_RETURN(const Field field, message.Next());
      if (field.number == 3) model_type_ = field.value;
      const auto id = static_cast<int32_t>(field.value);  // -1 is written as 64 bits of ones
      if (field.number == 40) unknown_ = id;
      if (field.number == 41) bos_ = id;
      if (field.number == 42) eos_ = id;
      if (field.number == 43) padding_ = id;
    }
    return Status();
  }

  Status ReadNormalizer(WireReader message) {
    while (!message.AtEnd()) {
      TUTTI_ASSIGN_OR_RETURN(const Field field, message.Next());
      if (field.number == 2 && !field.bytes.empty()) {
        return Unsupported(
            "the model normalises text by a table of its own ({} bytes); only "
            "models that keep it as it is are supported",
            field.bytes.size());
      }
      if (field.number == 3) spec_.add_space_prefix = field.value != 0;
      if (field.number == 4) spec_.remove_extra_whitespace = field.value != 0;
      if (field.number == 5 && field.value == 0) {
        return Unsupported("models that do not mark spaces are not supported");
      }
    }
    return Status();
  }

  // The trainer's ids count where they name a piece; the trainer that wrote none meant 0, 1, 2, -1.
  void Finish() {
    const auto valid = [&](int32_t id) {
      return id >= 0 && static_cast<size_t>(id) < spec_.tokens.size() ? id : kNoToken;
    };
    spec_.unknown = valid(unknown_);
    spec_.bos = valid(bos_);
    spec_.eos = valid(eos_);
    spec_.padding = valid(padding_);
    spec_.add_bos = spec_.bos != kNoToken;  // as every model of this kind was trained
    if (spec_.eos != kNoToken) spec_.end_of_generation = {spec_.eos};
  }

  std::string_view content_;
  VocabSpec spec_;
  uint64_t model_type_ = 1;  // the format's default: unigram
  int32_t unknown_ = 0, bos_ = 1, eos_ = 2, padding_ = -1;
};

}  // namespace

Result<VocabSpec> ParseSentencePieceModel(std::string_view content) {
  return Reader(content).Read();
}

}  // namespace tutti::text
