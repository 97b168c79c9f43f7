#include "messages/event_json.hpp"

#include "messages/verdict.hpp"
#include "messages/work.hpp"

#include <caf/init_global_meta_objects.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>

using namespace lathe;
using testing::HasSubstr;

namespace {

struct sample {
  std::string text;
  double number = 0;
  std::int64_t integer = 0;
  std::uint64_t natural = 0;
  std::int8_t small = 0;
  bool flag = false;
  std::optional<std::string> maybe;
  std::vector<std::vector<std::int32_t>> lists;
  std::map<std::string, double> table;

  friend bool operator==(const sample&, const sample&) = default;
};

template <class Inspector>
bool inspect(Inspector& f, sample& x) {
  return f.object(x).fields(
    f.field("text", x.text), f.field("number", x.number), f.field("integer", x.integer),
    f.field("natural", x.natural), f.field("small", x.small), f.field("flag", x.flag),
    f.field("maybe", x.maybe), f.field("lists", x.lists), f.field("table", x.table));
}

struct text_only {
  std::string text;
};

template <class Inspector>
bool inspect(Inspector& f, text_only& x) {
  return f.object(x).fields(f.field("text", x.text));
}

struct number_only {
  double number = 0;
};

template <class Inspector>
bool inspect(Inspector& f, number_only& x) {
  return f.object(x).fields(f.field("number", x.number));
}

class event_json : public testing::Test {
protected:
  static void SetUpTestSuite() {
    caf::core::init_global_meta_objects(); // errors carry their sentence in a message
  }
};

std::string there_and_back(const std::string& text) {
  auto result = from_json<text_only>(to_json(text_only{text}));
  return result ? result->text : "error: " + describe(result.error());
}

double there_and_back(double number) {
  auto result = from_json<number_only>(to_json(number_only{number}));
  EXPECT_TRUE(result) << number;
  return result ? result->number : 0;
}

template <class T>
std::string error_of(std::string_view text) {
  auto result = from_json<T>(text);
  return result ? "no error" : describe(result.error());
}

} // namespace

TEST_F(event_json, is_one_compact_line) {
  sample x{"a\nb", 0.5, -1, 2, 3, true, std::nullopt, {{1, 2}, {}}, {{"k", 1}}};
  EXPECT_EQ(to_json(x), R"({"text":"a\nb","number":0.5,"integer":-1,"natural":2,"small":3,)"
                        R"("flag":true,"maybe":null,"lists":[[1,2],[]],"table":[["k",1.0]]})");
}

TEST_F(event_json, gives_back_every_kind_of_field) {
  sample x{"text",
           -1.5,
           std::numeric_limits<std::int64_t>::min(),
           std::numeric_limits<std::uint64_t>::max(),
           -128,
           true,
           "",
           {{1}, {}, {2, 3}},
           {{"a", 1}, {"b", 2}}};
  auto result = from_json<sample>(to_json(x));
  ASSERT_TRUE(result) << describe(result.error());
  EXPECT_EQ(*result, x);
}

TEST_F(event_json, gives_back_text_of_every_byte) {
  for (int byte = 0; byte < 256; ++byte) {
    auto text = "a" + std::string(1, static_cast<char>(byte)) + "z";
    EXPECT_EQ(there_and_back(text), text) << byte;
  }
}

TEST_F(event_json, gives_back_random_bytes_and_stays_valid_json) {
  std::mt19937 random{7};
  for (int round = 0; round < 500; ++round) {
    std::string text(random() % 40, '\0');
    for (auto& byte : text)
      byte = static_cast<char>(random());
    EXPECT_EQ(there_and_back(text), text);
  }
}

TEST_F(event_json, keeps_readable_text_readable) {
  EXPECT_EQ(to_json(text_only{"größer ✓ \"q\" \\"}), R"({"text":"größer ✓ \"q\" \\"})");
  EXPECT_EQ(to_json(text_only{std::string{"\0\v\x1f\x7f", 4}}),
            "{\"text\":\"\\u0000\\u000b\\u001f\x7f\"}");
}

TEST_F(event_json, writes_text_that_is_not_utf8_as_hexadecimal) {
  EXPECT_EQ(to_json(text_only{"a\xff"}), R"({"text":{"@bytes":"61ff"}})");
}

TEST_F(event_json, gives_back_numbers_to_the_last_bit) {
  for (auto number : {0.1, 1.0 / 3, 1.7912345e-7, 5e-324, 1e300, 612.123456789e-6, 1e15, 1e22,
                      std::numeric_limits<double>::max()})
    EXPECT_EQ(there_and_back(number), number);
  std::mt19937_64 random{7};
  for (int round = 0; round < 10000; ++round) {
    auto number = std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 400) - 200);
    ASSERT_EQ(there_and_back(number), number);
  }
}

TEST_F(event_json, gives_back_numbers_that_json_does_not_have) {
  EXPECT_TRUE(std::isnan(there_and_back(std::nan(""))));
  EXPECT_EQ(there_and_back(INFINITY), INFINITY);
  EXPECT_EQ(there_and_back(-INFINITY), -INFINITY);
  EXPECT_TRUE(std::signbit(there_and_back(-0.0)));
}

TEST_F(event_json, gives_back_a_verdict) {
  verdict x;
  x.outcome = outcome::correct;
  x.evidence = "line 1\nline 2";
  x.timing = timing{6.12345678e-4, 1.79e-7, 3.41, 3.38, 3.45, 200, 5};
  x.stages = {{"build", 1.5, 1.25, 0}, {"time", 2, 2, 0.125}};
  auto result = from_json<verdict>(to_json(x));
  ASSERT_TRUE(result) << describe(result.error());
  EXPECT_EQ(result->outcome, outcome::correct);
  EXPECT_EQ(result->evidence, x.evidence);
  ASSERT_TRUE(result->timing);
  EXPECT_EQ(result->timing->candidate, 1.79e-7);
  EXPECT_EQ(result->timing->samples, 200);
  EXPECT_FALSE(result->correctness);
  ASSERT_EQ(result->stages.size(), 2u);
  EXPECT_EQ(result->stages[1].queued, 0.125);
}

TEST_F(event_json, ignores_unknown_keys_and_the_order_of_known_ones) {
  auto result =
    from_json<stage_cost>(R"({"later":[1,{"x":2}],"queued":3,"cpu":2,"wall":1,"stage":"time"})");
  ASSERT_TRUE(result) << describe(result.error());
  EXPECT_EQ(result->stage, "time");
  EXPECT_EQ(result->queued, 3.0);
}

TEST_F(event_json, names_the_field_that_does_not_fit) {
  EXPECT_EQ(error_of<text_only>("{}"), "is missing (at field 'text')");
  EXPECT_EQ(error_of<text_only>(R"({"text":1})"), "is not a text (at field 'text')");
  EXPECT_EQ(error_of<text_only>(R"({"text":{"@bytes":"6"}})"), "is not a text (at field 'text')");
  EXPECT_EQ(error_of<number_only>(R"({"number":"1"})"), "is not a number (at field 'number')");
  EXPECT_THAT(error_of<spend>("[]"), HasSubstr("is not an object"));
  EXPECT_EQ(error_of<verdict>(R"({"outcome":"splendid"})"),
            "holds the word 'splendid', which this version does not know (at field 'outcome')");
}

TEST_F(event_json, refuses_an_integer_that_does_not_fit) {
  auto text = to_json(sample{});
  text.replace(text.find("\"small\":0"), 9, "\"small\":128");
  EXPECT_THAT(error_of<sample>(text), HasSubstr("too large"));
}

TEST_F(event_json, refuses_text_that_is_not_json) {
  for (auto text : {"", "{", "nonsense", R"({"text":"a)", R"({"text":"a"} x)"})
    EXPECT_THAT(error_of<text_only>(text), HasSubstr("not JSON")) << text;
}
