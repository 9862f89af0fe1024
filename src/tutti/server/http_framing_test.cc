#include "tutti/server/http_framing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti::server {
namespace {

using ::testing::HasSubstr;

struct Parsed {
  bool complete = false;
  RequestHead head;
  HttpRefusal refusal;
};

Parsed Parse(std::string_view input, const HttpLimits& limits = {}) {
  Parsed parsed;
  HeadParser parser(limits);
  parsed.complete = parser.Parse(input, &parsed.head, &parsed.refusal);
  return parsed;
}

TEST(HeadParserTest, ReadsAHead) {
  const std::string_view text =
      "POST /v1/models/a%2Fb:c?beta=true&x HTTP/1.1\r\nHost: localhost:8080\r\n"
      "X-Empty:\r\nX-Words: \t two words \r\nContent-Length: 12\r\n\r\nhello, body!";
  const Parsed parsed = Parse(text);
  ASSERT_TRUE(parsed.complete);
  ASSERT_EQ(parsed.refusal.status, 0) << parsed.refusal.message;
  const HttpRequest& request = parsed.head.request;
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/v1/models/a/b:c");
  EXPECT_EQ(request.query, "beta=true&x");
  EXPECT_EQ(request.Find("x-empty"), "");
  EXPECT_EQ(request.Find("x-words"), "two words");
  EXPECT_EQ(parsed.head.content_length, 12);
  EXPECT_EQ(parsed.head.size_bytes, text.size() - 12);
  EXPECT_TRUE(parsed.head.keep_alive);
}

TEST(HeadParserTest, ReadsTheSameHoweverItIsCut) {
  const std::string_view text = "\r\nGET /x HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\nGET";
  for (size_t step = 1; step <= 5; ++step) {
    HeadParser parser({});
    RequestHead head;
    HttpRefusal refusal;
    size_t end = 0;
    while (!parser.Parse(text.substr(0, end), &head, &refusal)) {
      ASSERT_LE(end, text.size());
      end += step;
    }
    EXPECT_EQ(refusal.status, 0) << refusal.message;
    EXPECT_EQ(head.size_bytes, text.size() - 3);
    EXPECT_EQ(head.request.headers.size(), 2);
  }
}

TEST(HeadParserTest, KnowsWhoStaysConnected) {
  EXPECT_TRUE(
      Parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, keep-alive\r\n\r\n").head.keep_alive);
  EXPECT_FALSE(Parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: x , Close\r\n\r\n").head.keep_alive);
  EXPECT_FALSE(Parse("GET / HTTP/1.0\r\n\r\n").head.keep_alive);
  EXPECT_TRUE(Parse("GET / HTTP/1.0\r\n\r\n").head.http_1_0);
}

struct BadHead {
  std::string_view text;
  int status;
  std::string_view message;  // a part of it
};

class BadHeadTest : public ::testing::TestWithParam<BadHead> {};

// What proxies and servers were seen to understand differently (request smuggling), and what is
// simply no HTTP/1.
TEST_P(BadHeadTest, IsRefused) {
  const Parsed parsed = Parse(GetParam().text);
  ASSERT_TRUE(parsed.complete);
  EXPECT_EQ(parsed.refusal.status, GetParam().status);
  EXPECT_THAT(parsed.refusal.message, HasSubstr(GetParam().message));
}

#define HOST "Host: a\r\n"
constexpr BadHead kBadHeads[] = {
    // Where the body ends.
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     "both"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400,
     "both"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400,
     "more than one"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400,
     "more than one"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", 400, "Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400, "Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400, "Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", 400, "Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n", 400, "Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400, "Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n", 400,
     "Content-Length"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "chunked"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n", 501, "chunked"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 501, "chunked"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501, "chunked"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400,
     "more than one"},
    {"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400, "HTTP/1.0"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n", 400, "name"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding\t: chunked\r\n\r\n", 400, "name"},
    {"POST / HTTP/1.1\r\n" HOST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n", 400, "continued"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n chunked\r\n\r\n", 400, "continued"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
     "chunked\r\n\r\n",
     400, "control"},
    {"POST / HTTP/1.1\r\n" HOST "X: y\nTransfer-Encoding: chunked\r\n\r\n", 400, "line feed"},
    {"POST / HTTP/1.1\r\n" HOST "X: y\rTransfer-Encoding: chunked\r\n\r\n", 400, "carriage return"},
    {"POST / HTTP/1.1\n" HOST "\n", 400, "line feed"},
    // Names of headers.
    {"GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", 400, "without a name"},
    {"GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400, "without a name"},
    {"GET / HTTP/1.1\r\n" HOST "a b: c\r\n\r\n", 400, "name"},
    {"GET / HTTP/1.1\r\n" HOST "a\xc3\xa4: c\r\n\r\n", 400, "name"},
    {"GET / HTTP/1.1\r\n" HOST "a(: c\r\n\r\n", 400, "name"},
    {"GET / HTTP/1.1\r\n  " HOST "\r\n", 400, "continued"},
    {"GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nauthorization: b\r\n\r\n", 400,
     "more than one"},
    {"GET / HTTP/1.1\r\n" HOST "x-api-key: a\r\nX-Api-Key: a\r\n\r\n", 400, "more than one"},
    // Who is meant.
    {"GET / HTTP/1.1\r\n\r\n", 400, "Host"},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, "more than one"},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "Host"},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host"},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host"},
    {"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400, "Host"},
    {"GET / HTTP/1.1\r\nHost: a:99999999\r\n\r\n", 400, "Host"},
    {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "Host"},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "Host"},
    {"GET http://a/ HTTP/1.1\r\n" HOST "\r\n", 400, "target"},
    {"GET * HTTP/1.1\r\n" HOST "\r\n", 400, "target"},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400, "target"},
    {"CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", 400, "target"},
    {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400, "percent"},
    {"GET /a\\b HTTP/1.1\r\n" HOST "\r\n", 400, "percent"},
    {"GET /\xff HTTP/1.1\r\n" HOST "\r\n", 400, "percent"},
    {"GET /%00 HTTP/1.1\r\n" HOST "\r\n", 400, "path"},
    {"GET /%0a HTTP/1.1\r\n" HOST "\r\n", 400, "path"},
    {"GET /%f HTTP/1.1\r\n" HOST "\r\n", 400, "path"},
    {"GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400, "path"},
    {"GET /%ff HTTP/1.1\r\n" HOST "\r\n", 400, "path"},
    // The request line.
    {"GET /\r\n", 400, ""},
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400, "target"},
    {"GET /  HTTP/1.1\r\n" HOST "\r\n", 400, "target"},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400, "version"},
    {" GET / HTTP/1.1\r\n" HOST "\r\n", 400, "method"},
    {"GET\t/\tHTTP/1.1\r\n" HOST "\r\n", 400, "request line"},
    {"get / HTTP/1.1\r\n" HOST "\r\n", 400, "method"},
    {"G\"ET / HTTP/1.1\r\n" HOST "\r\n", 400, "method"},
    {"ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n" HOST "\r\n", 400, "method"},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", 505, "HTTP/1.1"},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", 505, "HTTP/1.1"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1"},
    {"GET / http/1.1\r\n" HOST "\r\n", 400, "version"},
    {"GET / HTTP/1.10\r\n" HOST "\r\n", 400, "version"},
    {"\x16\x03\x01\x02", 400, "TLS"},
    {"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400, ""},
    // What a body may be.
    {"POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\n\r\n", 415, "compressed"},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n", 417, "100-continue"},
};
#undef HOST
INSTANTIATE_TEST_SUITE_P(HeadParserTest, BadHeadTest, ::testing::ValuesIn(kBadHeads));

TEST(HeadParserTest, HasLimits) {
  const HttpLimits limits;
  const auto with = [](size_t headers, size_t target_bytes, size_t value_bytes) {
    std::string text = "GET /" + std::string(target_bytes - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n";
    for (size_t i = 1; i < headers; ++i) text += "A: b\r\n";
    return text + "B: " + std::string(value_bytes, 'c') + "\r\n\r\n";
  };
  EXPECT_EQ(Parse(with(99, 8192, 1)).refusal.status, 0);
  EXPECT_EQ(Parse(with(100, 1, 1)).refusal.status, 431);
  EXPECT_EQ(Parse(with(1, 8193, 1)).refusal.status, 414);
  const size_t rest = with(1, 1, 0).size();
  EXPECT_EQ(Parse(with(1, 1, 16384 - rest)).refusal.status, 0);
  EXPECT_EQ(Parse(with(1, 1, 16385 - rest)).refusal.status, 431);
  // Nobody waits for the end of what is too long already.
  EXPECT_EQ(Parse("GET /" + std::string(9000, 'a')).refusal.status, 414);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nA: " + std::string(17000, 'a')).refusal.status, 431);
  EXPECT_FALSE(Parse("GET / HTTP/1.1\r\nHost: a\r").complete);
}

std::string Decode(std::string_view input, size_t step, ChunkDecoder* decoder, size_t* used) {
  std::string body;
  *used = 0;
  while (*used < input.size() && !decoder->done() && decoder->refusal().status == 0) {
    *used += decoder->Decode(input.substr(*used, step), &body);
  }
  return body;
}

TEST(ChunkDecoderTest, ReadsTheSameHoweverItIsCut) {
  const std::string_view text =
      "5\r\nhello\r\n0000000A;a=b;c=\"d\"\r\n0123456789\r\n0;last\r\nX: y\r\nZ: \r\n\r\nGET /";
  for (size_t step = 1; step < text.size(); ++step) {
    ChunkDecoder decoder(100);
    size_t used;
    EXPECT_EQ(Decode(text, step, &decoder, &used), "hello0123456789");
    EXPECT_TRUE(decoder.done());
    EXPECT_EQ(used, text.size() - 5);
  }
}

TEST(ChunkDecoderTest, RefusesWhatIsAmbiguous) {
  const std::pair<std::string_view, int> cases[] = {
      {"\r\n", 400},
      {";a\r\n", 400},
      {"g\r\n", 400},
      {" 5\r\nhello\r\n", 400},
      {"5 \r\nhello\r\n", 400},
      {"+5\r\nhello\r\n", 400},
      {"0x5\r\nhello\r\n", 400},
      {"-1\r\n", 400},
      {"5\nhello\r\n", 400},
      {"5\r\nhello\n", 400},
      {"5\r\nhelloX\r\n", 400},
      {"5\r\nhell\r\n0\r\n", 400},
      {"5\r\rhello\r\n", 400},
      {"fffffffffffffffff\r\n", 400},
      {"1000000000000000\r\n", 400},
      {"65\r\n", 413},
      {"fffffffffffffff\r\n", 413},
      {"5;a\x01\r\nhello", 400},
      {"5;a\nhello", 400},
      {"0\r\n: x\r\n\r\n", 400},
      {"0\r\n x\r\n\r\n", 400},
      {"0\r\nA: b\n\r\n", 400},
      {"0\r\n\rX", 400},
      {"0\r\nA\x7f: b\r\n", 400},
  };
  for (const auto& [text, status] : cases) {
    ChunkDecoder decoder(100);
    size_t used;
    Decode(text, 1000, &decoder, &used);
    EXPECT_EQ(decoder.refusal().status, status) << text;
    EXPECT_FALSE(decoder.done()) << text;
  }
}

TEST(ChunkDecoderTest, HasLimits) {
  const auto decode = [](std::string_view text) {
    ChunkDecoder decoder(100);
    size_t used;
    const std::string body = Decode(text, 7, &decoder, &used);
    return std::pair(decoder.refusal().status, body.size());
  };
  const std::string full = "64\r\n" + std::string(100, 'x') + "\r\n";
  EXPECT_EQ(decode(full + "0\r\n\r\n"), std::pair(0, size_t{100}));
  EXPECT_EQ(decode(full + "1\r\nx"), std::pair(413, size_t{100}));
  EXPECT_EQ(decode("1;" + std::string(5000, 'x')).first, 431);
  EXPECT_EQ(decode("0\r\nA: " + std::string(5000, 'x')).first, 431);
  std::string many;
  for (int i = 0; i < 90; ++i) many += "1;" + std::string(50, 'x') + "\r\ny\r\n";
  EXPECT_EQ(decode(many).first, 431);
}

}  // namespace
}  // namespace tutti::server
