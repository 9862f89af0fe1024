// Any bytes as a key file and as the headers of a request; what is accepted must be written and
// read again as the same keys.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tutti/base/check.h"
#include "tutti/server/keys.h"
#include "tutti/server/origin.h"

using namespace tutti::server;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto keys = ParseKeys(text);
  if (keys.ok()) {
    std::string written;
    for (const ApiKey& key : *keys) written += KeyLine(key) + "\n";
    const auto again = ParseKeys(written);
    TUTTI_CHECK(again.ok(), again.status().message());
    TUTTI_CHECK(again->size() == keys->size(), "as many keys");
    for (size_t i = 0; i < keys->size(); ++i) {
      TUTTI_CHECK(KeyLine((*again)[i]) == KeyLine((*keys)[i]), "the same keys");
    }
  } else {
    TUTTI_CHECK(keys.status().message().find('\n') == std::string::npos, "a message of one line");
  }
  const auto used = ParseUsedTokens(text);
  if (used.ok()) {
    for (const auto& [hash, tokens] : *used) TUTTI_CHECK(tokens >= 0, "tokens that were used");
  } else {
    TUTTI_CHECK(used.status().message().find('\n') == std::string::npos, "a message of one line");
  }
  const KeyRing ring({MakeApiKey("a", "abc")});
  HttpRequest request;
  request.headers = {{"authorization", std::string(text)},
                     {"host", std::string(text)},
                     {"origin", std::string(text)},
                     {"access-control-request-headers", std::string(text)}};
  Caller caller;
  const bool known = !ring.Identify(request, Scope::kInference, 0, &caller);
  TUTTI_CHECK(!known || PresentedKey(request) == "abc", "only a key opens");
  auto rules = OriginRules::Create({"127.0.0.1", {}, {std::string(text)}});
  if (rules.ok()) {
    (void)rules->Check(request);
    (void)rules->ResponseHeaders(request);
    (void)rules->PreflightHeaders(request);
  } else {
    TUTTI_CHECK(rules.status().message().find('\n') == std::string::npos, "a message of one line");
  }
  (void)CheckExposure(text, false, false);
  return 0;
}
