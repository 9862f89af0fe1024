#include "tutti/server/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tutti/os/file.h"

namespace tutti::server {
namespace {

using ::testing::HasSubstr;

// "abc" of FIPS 180-2.
constexpr std::string_view kAbcHash =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

HttpRequest With(std::string name, std::string value) {
  HttpRequest request;
  request.headers.push_back({std::move(name), std::move(value)});
  return request;
}

TEST(KeysTest, KeysAreLongDifferentAndKnowThemselves) {
  const std::string key = MakeKey();
  EXPECT_EQ(key.size(), 52);
  EXPECT_TRUE(key.starts_with("tt-"));
  EXPECT_NE(key, MakeKey());
  EXPECT_TRUE(HasValidChecksum(key));
  for (size_t i = 0; i < key.size(); ++i) {
    std::string wrong = key;
    wrong[i] = wrong[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(HasValidChecksum(wrong)) << wrong;
  }
  EXPECT_FALSE(HasValidChecksum(key.substr(0, 51)));
  EXPECT_FALSE(HasValidChecksum(""));
}

TEST(KeysTest, ReadsWhatItWrites) {
  ApiKey key = MakeApiKey("ci", "tt-secret");
  key.scopes = {Scope::kInference, Scope::kAdmin};
  key.expires_s = 1'800'000'000;
  key.tenant = "team";
  key.limits = {60, 1000, 4};
  const auto keys =
      ParseKeys("# two keys\n\n" + KeyLine(key) + "\r\n" + KeyLine(MakeApiKey("other", "abc")));
  ASSERT_TRUE(keys.ok()) << keys.status().message();
  ASSERT_EQ(keys->size(), 2);
  const ApiKey& read = (*keys)[0];
  EXPECT_EQ(read.name, "ci");
  EXPECT_EQ(read.hash, key.hash);
  EXPECT_EQ(read.prefix, "tt-secre");
  EXPECT_EQ(read.scopes, key.scopes);
  EXPECT_EQ(read.expires_s, key.expires_s);
  EXPECT_EQ(read.tenant, "team");
  EXPECT_EQ(read.limits, key.limits);
  EXPECT_THAT(KeyLine((*keys)[1]), HasSubstr(kAbcHash));
  EXPECT_THAT(KeyLine(key), ::testing::Not(HasSubstr("secret")));
}

TEST(KeysTest, SaysWhatIsWrongWithAFile) {
  const std::string good = R"({"name":"a","sha256":")" + std::string(kAbcHash) + R"("})";
  const auto error = [](const std::string& text) {
    const auto keys = ParseKeys(text);
    return keys.ok() ? "" : keys.status().message();
  };
  EXPECT_EQ(error(good), "");
  EXPECT_THAT(error("\n\nx"), HasSubstr("line 3"));
  EXPECT_THAT(error("[]"), HasSubstr("an object"));
  EXPECT_THAT(error("{}"), HasSubstr("no name"));
  EXPECT_THAT(error(R"({"name":"a"})"), HasSubstr("no sha256"));
  EXPECT_THAT(error(good + "\n" + good), HasSubstr("line 2: there is another key named a"));
  std::string same = good;
  same[9] = 'b';
  EXPECT_THAT(error(good + "\n" + same), HasSubstr("the same key"));
  const auto member = [&](const std::string& text) {
    return error(good.substr(0, good.size() - 1) + "," + text + "}");
  };
  EXPECT_THAT(member(R"("scope":"admin")"), HasSubstr("unknown member \"scope\""));
  EXPECT_THAT(member(R"("scopes":"admin")"), HasSubstr("list"));
  EXPECT_THAT(member(R"("scopes":["root"])"), HasSubstr("inference"));
  EXPECT_THAT(member(R"("scopes":[])"), HasSubstr("without scopes"));
  EXPECT_THAT(member(R"("expires":"soon")"), HasSubstr("expires"));
  EXPECT_THAT(member(R"("expires":20270131)"), HasSubstr("expires"));
  EXPECT_THAT(member(R"("requests_per_minute":0)"), HasSubstr("whole number"));
  EXPECT_THAT(member(R"("requests_per_minute":-1)"), HasSubstr("whole number"));
  EXPECT_THAT(member(R"("tokens_per_minute":1e300)"), HasSubstr("whole number"));
  EXPECT_THAT(member(R"("tenant":"a b")"), HasSubstr("tenant"));
  EXPECT_THAT(member(R"("name":"b")"), HasSubstr("line 1"));
  EXPECT_THAT(error(R"({"name":"a","sha256":"ba78"})"), HasSubstr("64"));
}

TEST(KeysTest, ReadsTimes) {
  EXPECT_EQ(ParseTime("1970-01-02"), 86'400);
  EXPECT_EQ(ParseTime("2027-01-31T12:30:01Z"), 1'801'398'601);
  for (const char* text :
       {"", "2027", "2027-13-01", "2027-02-29", "2027-1-31", "2027-01-31T25:00:00Z",
        "2027-01-31 12:00:00", "2027-01-31T12:00:00", "+027-01-31"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

TEST(KeysTest, FindsTheKeyOfARequest) {
  EXPECT_EQ(PresentedKey(With("authorization", "Bearer abc")), "abc");
  EXPECT_EQ(PresentedKey(With("authorization", "bearer  abc")), "abc");
  EXPECT_EQ(PresentedKey(With("x-api-key", "abc")), "abc");
  EXPECT_EQ(PresentedKey(With("authorization", "Basic abc")), "");
  EXPECT_EQ(PresentedKey({}), "");
}

class KeyRingTest : public ::testing::Test {
 protected:
  KeyRingTest() {
    ApiKey limited = MakeApiKey("ci", "abc");
    limited.expires_s = 1000;
    ApiKey admin = MakeApiKey("boss", "xyz");
    admin.scopes = {Scope::kAdmin};
    keys_ = {limited, admin};
  }
  int StatusOf(const KeyRing& ring, const HttpRequest& request, Scope scope = Scope::kInference,
               int64_t now_s = 0) {
    caller_ = {};
    const auto error = ring.Identify(request, scope, now_s, &caller_);
    message_ = error ? error->message : "";
    return error ? error->status : 200;
  }
  std::vector<ApiKey> keys_;
  Caller caller_;
  std::string message_;
};

TEST_F(KeyRingTest, KnowsWhoAsks) {
  const KeyRing ring(keys_);
  EXPECT_EQ(StatusOf(ring, With("x-api-key", "abc")), 200);
  EXPECT_EQ(caller_.name, "ci");
  const TenantId tenant = caller_.tenant;
  EXPECT_NE(tenant, TenantId{});
  EXPECT_EQ(StatusOf(ring, With("authorization", "Bearer xyz"), Scope::kAdmin), 200);
  EXPECT_NE(caller_.tenant, tenant);
  EXPECT_EQ(StatusOf(ring, With("x-api-key", "xyz")), 403);
  EXPECT_THAT(message_, HasSubstr("\"inference\""));
  EXPECT_EQ(StatusOf(ring, With("x-api-key", "abc"), Scope::kInference, 1000), 401);
  EXPECT_THAT(message_, HasSubstr("expired"));
  EXPECT_EQ(StatusOf(ring, {}), 401);
  EXPECT_EQ(StatusOf(ring, With("x-api-key", "abd")), 401);
  EXPECT_EQ(StatusOf(ring, With("x-api-key", std::string(kAbcHash))), 401);
  EXPECT_EQ(StatusOf(ring, With("x-api-key", std::string(100'000, 'a'))), 401);
  EXPECT_EQ(StatusOf(ring, With("x-api-key", MakeKey().substr(0, 51))), 401);
  EXPECT_THAT(message_, HasSubstr("mistyped"));
}

TEST_F(KeyRingTest, TenantsShareAcrossKeysOnlyWhereTheySaySo) {
  keys_[0].tenant = "team";
  keys_[1].tenant = "team";
  keys_.push_back(MakeApiKey("team", "other"));
  const KeyRing ring(keys_);
  StatusOf(ring, With("x-api-key", "abc"));
  const TenantId tenant = caller_.tenant;
  StatusOf(ring, With("x-api-key", "xyz"), Scope::kAdmin);
  EXPECT_EQ(caller_.tenant, tenant);
  StatusOf(ring, With("x-api-key", "other"));
  EXPECT_NE(caller_.tenant, tenant);
}

TEST_F(KeyRingTest, ReloadsAndKeepsWhatWasUsed) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "tutti_keys_test";
  keys_[0].limits.requests_per_minute = 1;
  const std::string first = KeyLine(keys_[0]) + "\n";
  ASSERT_TRUE(os::WriteFile(path, first).ok());
  auto ring = KeyRing::Load(path);
  ASSERT_TRUE(ring.ok()) << ring.status().message();
  EXPECT_EQ((*ring)->size(), 1);
  EXPECT_EQ(StatusOf(**ring, With("x-api-key", "abc")), 200);
  EXPECT_TRUE(caller_.limits->Admit(0).admitted);
  EXPECT_FALSE(caller_.limits->Admit(0).admitted);

  ASSERT_TRUE(os::WriteFile(path, first + KeyLine(keys_[1]) + "\n").ok());
  EXPECT_TRUE((*ring)->Reload().ok());
  EXPECT_EQ((*ring)->size(), 2);
  EXPECT_EQ(StatusOf(**ring, With("x-api-key", "abc")), 200);
  EXPECT_FALSE(caller_.limits->Admit(0).admitted);

  // A mistake leaves everybody in.
  ASSERT_TRUE(os::WriteFile(path, first + "oops\n").ok());
  EXPECT_THAT((*ring)->Reload().message(), HasSubstr("tutti_keys_test: line 2"));
  EXPECT_EQ((*ring)->size(), 2);
  std::filesystem::remove(path);
  EXPECT_EQ(KeyRing::Load(path).status().code(), StatusCode::kNotFound);
}

// Over another budget, another start and another key file.
TEST_F(KeyRingTest, BudgetsAreForLife) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "tutti_keys_budget_test";
  const std::filesystem::path used = path.string() + ".used";
  std::filesystem::remove(used);
  const auto write = [&](int64_t budget) {
    keys_[0].limits.token_budget = budget;
    ASSERT_TRUE(os::WriteFile(path, KeyLine(keys_[0]) + "\n").ok());
  };
  const auto admitted = [&](const KeyRing& ring) {
    EXPECT_EQ(StatusOf(ring, With("x-api-key", "abc")), 200);
    return caller_.limits->Admit(0).admitted;
  };
  write(100);
  {
    auto ring = KeyRing::Load(path).value();
    EXPECT_TRUE(ring->SaveUsedTokens().ok());
    EXPECT_TRUE(std::filesystem::exists(used)) << "what cannot be kept shows at the start";
    EXPECT_TRUE(admitted(*ring));
    caller_.limits->ChargeTokens(100, 0);
    EXPECT_FALSE(admitted(*ring));
    write(200);
    EXPECT_TRUE(ring->Reload().ok());
    EXPECT_TRUE(admitted(*ring));
    caller_.limits->ChargeTokens(99, 0);
    EXPECT_TRUE(admitted(*ring));
    EXPECT_TRUE(ring->SaveUsedTokens().ok());
  }
  EXPECT_EQ(ReadUsedTokens(path)->at(keys_[0].hash), 199);
  {
    auto ring = KeyRing::Load(path).value();
    EXPECT_TRUE(admitted(*ring));
    caller_.limits->ChargeTokens(1, 0);
    EXPECT_FALSE(admitted(*ring));
    EXPECT_EQ(caller_.limits->Admit(0).retry_after_s, 0);
    EXPECT_TRUE(ring->SaveUsedTokens().ok());
  }
  EXPECT_EQ(ReadUsedTokens(path)->at(keys_[0].hash), 200);
  ASSERT_TRUE(os::WriteFile(used, "oops\n").ok());
  EXPECT_THAT(KeyRing::Load(path).status().message(), HasSubstr("budget_test.used: line 1"));
  std::filesystem::remove(path);
  std::filesystem::remove(used);
}

}  // namespace
}  // namespace tutti::server
