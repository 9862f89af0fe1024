#include "tutti/server/openai_embeddings.h"

#include <array>
#include <bit>

#include "tutti/base/printable.h"
#include "tutti/server/json_writer.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

constexpr double kMaxNameBytes = 1024;
constexpr double kMaxDimensions = 65536;

void ReadEncoding(RequestReader& reader, EmbeddingsRequest& request, const json::value& value) {
  const auto text = reader.AsText(value, 1, kMaxNameBytes);
  if (!text) return;
  request.base64 = *text == "base64";
  if (*text != "base64" && *text != "float") {
    reader.Fail(fmt::format("is \"{}\", it must be float or base64", Printable(*text)));
  }
}

const auto kFields = std::to_array<Field<EmbeddingsRequest>>({
    {"model", [](EmbeddingsRequest& r, std::string_view v) { r.model = v; }, 0, kMaxNameBytes},
    {"input",
     [](RequestReader& r, EmbeddingsRequest& e, const json::value& v) {
       ReadPrompts(r, v, e.inputs);
     },
     0, 0, true},
    {"encoding_format", ReadEncoding},
    {"dimensions", [](EmbeddingsRequest& r, int64_t v) { r.dimensions = v; }, 1, kMaxDimensions},
    {"user", Ignored{}},
});

// RFC 4648, section 4.
std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
    }
    for (size_t j = 0; j < 4; ++j) {
      out += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

std::string LittleEndian(std::span<const float> values) {
  std::string bytes;
  bytes.reserve(values.size() * sizeof(float));
  for (const float value : values) {
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift & 255);
  }
  return bytes;
}

}  // namespace

ApiResult<EmbeddingsRequest> ParseOpenaiEmbeddings(std::string_view body) {
  RequestReader reader;
  EmbeddingsRequest request;
  if (const auto object = reader.ParseBody(body)) {
    reader.Read<EmbeddingsRequest>(*object, {kFields}, request);
  }
  if (!reader.ok()) return *reader.error();
  request.unknown_fields = reader.unknown_fields();
  return request;
}

std::string OpenaiEmbeddingsBody(const EmbeddingsRequest& request, std::string_view model,
                                 std::span<const std::vector<float>> embeddings,
                                 int64_t prompt_tokens) {
  JsonWriter writer;
  writer.Object().Text("object", "list").List("data");
  for (size_t i = 0; i < embeddings.size(); ++i) {
    writer.Object().Text("object", "embedding").Int("index", static_cast<int64_t>(i));
    if (request.base64) {
      writer.Text("embedding", Base64(LittleEndian(embeddings[i])));
    } else {
      writer.List("embedding");
      for (const float value : embeddings[i]) writer.Number(value);
      writer.Close();
    }
    writer.Close();
  }
  writer.Close().Text("model", model).Object("usage").Int("prompt_tokens", prompt_tokens);
  return writer.Int("total_tokens", prompt_tokens).Close().Close().Take();
}

std::vector<std::string_view> OpenaiEmbeddingsFields() {
  std::vector<std::string_view> names;
  for (const auto& field : kFields) names.push_back(field.name);
  return names;
}

}  // namespace tutti::server
