#include "llm_clients/script.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>

#include <fstream>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

scripted_answer parsed(const std::string& path, const std::string& text) {
  auto result = parse_scripted_answer(path, text);
  EXPECT_TRUE(result) << describe(result.error());
  return *result;
}

std::string problem_of(const std::string& text) {
  auto result = parse_scripted_answer("coder/x.md", text);
  return result ? "none" : describe(result.error());
}

llm_request question(std::string prompt, session_id session = "mlp") {
  llm_request result;
  result.session = std::move(session);
  result.role = "coder";
  result.system = "You write kernels.";
  result.prompt = std::move(prompt);
  return result;
}

std::string chosen(script& x, const llm_request& q) {
  auto result = x.choose(q);
  return result ? result->path : "none";
}

// A folder that goes with the test.
struct folder {
  folder() {
    std::string pattern = (fs::temp_directory_path() / "lathe-script-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }

  ~folder() {
    fs::remove_all(path);
  }

  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream{path / name} << text;
  }

  fs::path path;
};

} // namespace

TEST(script, a_file_is_read_with_its_answer_verbatim) {
  auto x = parsed("a.md", "match: layer norm\r\nmatch: H200\nnot: attempt 2\ndelay: 0.25\n"
                          "tokens: 900 450\n---\n\n```python\n---\n```\n");
  EXPECT_THAT(x.match, testing::ElementsAre("layer norm", "H200"));
  EXPECT_THAT(x.reject, testing::ElementsAre("attempt 2"));
  EXPECT_EQ(x.delay, 0.25);
  EXPECT_EQ(x.tokens, (std::pair<std::int64_t, std::int64_t>{900, 450}));
  EXPECT_EQ(x.text, "\n```python\n---\n```\n");
}

TEST(script, an_answer_can_be_cut_and_go_on) {
  auto half = parsed("half.md", "match: norm\nfinish: length\n---\nhalf");
  EXPECT_EQ(half.finish, "length");
  auto rest = parsed("rest.md", "match: norm\nmatch: Go on\n---\nan answer");
  EXPECT_EQ(rest.finish, "stop");
  script x{"answers", {{"coder", {half, rest}}}};
  auto asked = question("a norm");
  EXPECT_EQ(chosen(x, asked), "half.md");
  asked.follow_ups = {{"half", "Go on exactly"}};
  EXPECT_EQ(chosen(x, asked), "rest.md");
}

TEST(script, mistakes_in_a_file_are_named_by_line) {
  EXPECT_THAT(problem_of("match: a\nmatsch: b\n---\n"), HasSubstr("coder/x.md:2: "));
  EXPECT_THAT(problem_of("delay: soon\n---\n"), HasSubstr("coder/x.md:1: "));
  EXPECT_THAT(problem_of("delay: -1\n---\n"), HasSubstr("coder/x.md:1: "));
  EXPECT_THAT(problem_of("tokens: 5\n---\n"), HasSubstr("coder/x.md:1: "));
  EXPECT_THAT(problem_of("match:\n---\n"), HasSubstr("coder/x.md:1: "));
  EXPECT_THAT(problem_of("\n---\n"), HasSubstr("coder/x.md:1: "));
  EXPECT_THAT(problem_of("match: a\n"), HasSubstr("no line '---'"));
  EXPECT_THAT(problem_of(""), HasSubstr("no line '---'"));
}

TEST(script, the_answer_with_most_matches_is_given) {
  script x{"s",
           {{"coder",
             {parsed("a", "---\nany"), parsed("b", "match: mlp\n---\n"),
              parsed("c", "match: mlp\nmatch: kernels\n---\n"),
              parsed("d", "match: scan\nmatch: x\nmatch: y\n---\n")}}}};
  EXPECT_EQ(chosen(x, question("the mlp task")), "c");
  EXPECT_EQ(chosen(x, question("another task")), "a");
}

TEST(script, a_text_that_must_not_occur_rules_an_answer_out) {
  script x{"s", {{"coder", {parsed("a", "match: mlp\nnot: failed\n---\n"), parsed("b", "---\n")}}}};
  EXPECT_EQ(chosen(x, question("mlp")), "a");
  EXPECT_EQ(chosen(x, question("mlp, which failed")), "b");
}

TEST(script, equal_answers_take_turns_by_name) {
  script x{"s", {{"coder", {parsed("a", "---\n"), parsed("b", "---\n")}}}};
  EXPECT_EQ(chosen(x, question("1")), "a");
  EXPECT_EQ(chosen(x, question("2")), "b");
  EXPECT_EQ(chosen(x, question("3")), "a");
}

TEST(script, another_session_does_not_change_whose_turn_it_is) {
  script x{"s", {{"coder", {parsed("a", "---\n"), parsed("b", "---\n")}}}};
  EXPECT_EQ(chosen(x, question("1", "mlp")), "a");
  EXPECT_EQ(chosen(x, question("1", "scan")), "a");
  EXPECT_EQ(chosen(x, question("2", "mlp")), "b");
}

TEST(script, without_a_fitting_answer_role_and_folder_are_named) {
  script x{"configs/answers", {{"coder", {parsed("a", "match: scan\n---\n")}}}};
  auto result = x.choose(question("mlp"));
  ASSERT_FALSE(result);
  EXPECT_THAT(describe(result.error()), HasSubstr("'coder'"));
  EXPECT_THAT(describe(result.error()), HasSubstr("configs/answers/coder"));
}

TEST(script, a_folder_is_read_by_role_and_name) {
  folder x;
  x.write("coder/2.md", "---\nsecond");
  x.write("coder/1.md", "---\nfirst");
  x.write("coder/notes.txt", "not an answer");
  x.write("README", "not a role");
  auto loaded = script::load(x.path);
  ASSERT_TRUE(loaded) << describe(loaded.error());
  EXPECT_EQ(loaded->choose(question(""))->text, "first");
  EXPECT_EQ(loaded->choose(question(""))->text, "second");
}

TEST(script, a_folder_that_is_missing_or_holds_a_mistake_is_a_user_error) {
  folder x;
  EXPECT_EQ(script::load(x.path / "nothing").error(), errc::user_error);
  x.write("coder/1.md", "no header");
  auto loaded = script::load(x.path);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(describe(loaded.error()), HasSubstr("coder/1.md:1: "));
}
