#include "runtime/topology/map_reader.hpp"

#include <gtest/gtest.h>

using namespace lathe::runtime;

namespace {

// Reads `text` as map "m" with `read`, then finishes, and returns the mistakes.
template <class Read>
std::string mistakes_of(const std::string& text, Read read) {
  mistake_list mistakes;
  auto root = parse_yaml(text, "t", mistakes);
  auto reader = map_reader{*root, "m", mistakes};
  read(reader);
  reader.finish();
  return to_string(mistakes.sorted("t"));
}

} // namespace

TEST(map_reader, what_is_not_there_keeps_its_default) {
  int number = 7;
  EXPECT_EQ(mistakes_of("{}", [&](map_reader& x) { x.read("n", number, {0, 10}); }), "");
  EXPECT_EQ(number, 7);
}

TEST(map_reader, a_key_that_nobody_asked_for_is_unknown) {
  auto read = [](map_reader& x) { x.find("instances"); };
  EXPECT_EQ(mistakes_of("a: 1\ninstanses: 3", read),
            "t:1:1: unknown key 'a' in m\n"
            "t:2:1: unknown key 'instanses' in m; did you mean 'instances'?\n");
}

TEST(map_reader, a_wrong_type_says_what_was_expected) {
  auto read = [](map_reader& x) {
    int number = 0;
    double ratio = 0;
    bool flag = false;
    std::string text;
    std::vector<std::string> names;
    x.read("i", number, {1, 9});
    x.read("d", ratio, {0, 2});
    x.read("b", flag);
    x.read("s", text);
    x.read("l", names);
    x.inner("m");
  };
  EXPECT_EQ(mistakes_of("i: ten\nd: [1]\nb: maybe\ns: {a: 1}\nl: word\nm: 3", read),
            "t:1:4: m.i must be a whole number, not 'ten'\n"
            "t:2:1: m.d must be a number, not a list\n"
            "t:3:4: m.b must be true or false, not 'maybe'\n"
            "t:4:1: m.s must be a text, not a map\n"
            "t:5:4: m.l must be a list of names, such as [a, b], not 'word'\n"
            "t:6:4: m.m must be a map, not '3'\n");
}

TEST(map_reader, a_value_out_of_range_says_the_range) {
  auto read = [](map_reader& x) {
    std::int32_t number = 0;
    double value = 0;
    std::int64_t bytes = 0;
    x.read("i", number, {1, 10'000});
    x.read("d", value, {0, 2});
    x.read_duration("t", value, {0.05, 86'400});
    x.read_size("z", bytes, {64 << 20, 4e12});
  };
  EXPECT_EQ(mistakes_of("i: 0\nd: 2.5\nt: 3d\nz: 1KiB", read),
            "t:1:4: m.i must be 1 to 10000, not '0'\n"
            "t:2:4: m.d must be 0 to 2, not '2.5'\n"
            "t:3:4: m.t must be 0.05s to 1d, not '3d'\n"
            "t:4:4: m.z must be 64MiB to 3725.29GiB, not '1KiB'\n");
}

TEST(map_reader, units_are_explained_by_example) {
  auto read = [](map_reader& x) {
    double value = 0;
    std::int64_t bytes = 0;
    x.read_duration("t", value, {1, 9});
    x.read_size("z", bytes, {1, 9});
    x.read_money("m", value);
  };
  EXPECT_EQ(mistakes_of("t: soon\nz: big\nm: -1", read),
            "t:1:4: m.t must be a duration such as 90s, 2m30s or 12h, not 'soon'\n"
            "t:2:4: m.z must be a size such as 512MiB or 8GiB, not 'big'\n"
            "t:3:4: m.m must be an amount in USD such as 25 or 1.25, not '-1'\n");
}

TEST(map_reader, a_word_is_one_of_those_known) {
  auto read = [](map_reader& x) {
    std::string word;
    x.read_word("a", word, {"eval", "train"});
    x.read_word("b", word, {"cpu"}, {"cuda"}, "use cpu");
  };
  EXPECT_EQ(mistakes_of("a: trian\nb: cuda", read),
            "t:1:4: m.a must be eval or train, not 'trian'; did you mean 'train'?\n"
            "t:2:4: m.b 'cuda' is not in this version of Lathe; use cpu\n");
}

TEST(map_reader, variables_are_refused_where_they_are_not_filled_in) {
  std::string text;
  EXPECT_EQ(mistakes_of("a: ${HOME}", [&](map_reader& x) { x.read("a", text); }),
            "t:1:4: m.a cannot hold '${...}': variables are filled in only in api_key and "
            "base_url\n");
  EXPECT_EQ(text, "");
}
