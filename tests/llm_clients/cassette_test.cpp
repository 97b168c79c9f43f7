#include "llm_clients/cassette.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <thread>

#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
namespace fs = std::filesystem;

namespace {

const secret key{"sk-0123456789"};

llm_request question(std::string prompt = "make it fast") {
  return {"mlp", 7, "coder#2", "coder", "strong", "be \"brief\"", std::move(prompt)};
}

recorded_exchange exchange(reply outcome, llm_request asked = question()) {
  recorded_exchange result;
  result.hash = question_hash(asked);
  result.asked = 1;
  result.question = std::move(asked);
  result.outcome = std::move(outcome);
  return result;
}

llm_answer answer(std::string text) {
  llm_answer result;
  result.text = std::move(text);
  result.model = "gpt-x";
  result.finish = "stop";
  result.cost.queries = 1;
  result.cost.input_tokens = 900;
  result.cost.cached_input_tokens = 100;
  result.cost.output_tokens = 450;
  result.cost.reasoning_tokens = 30;
  result.cost.usd = 0.0125;
  result.seconds = 3.25;
  return result;
}

std::string line(const recorded_exchange& x) {
  return cassette_line(x, kept_text{{key}});
}

cassette parsed(const std::string& text) {
  auto result = parse_cassette(text, "x.jsonl");
  EXPECT_TRUE(result) << describe(result.error());
  return result ? *result : cassette{};
}

std::string problem_of(const std::string& text) {
  auto result = parse_cassette(text, "x.jsonl");
  return result ? "none" : describe(result.error());
}

std::string text_of(const recorded_exchange& x) {
  return std::get<llm_answer>(x.outcome).text;
}

// A file that goes with the test.
class cassette_file : public testing::Test {
public:
  cassette_file() {
    std::string pattern = (fs::temp_directory_path() / "lathe-cassette-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    file = folder / "x.jsonl";
  }

  ~cassette_file() override {
    fs::remove_all(folder);
  }

  std::shared_ptr<cassette_writer> open() const {
    auto result = cassette_writer::open(file, {key});
    EXPECT_TRUE(result) << describe(result.error());
    return result ? *result : nullptr;
  }

  void record(const llm_request& asked, reply outcome) const {
    auto writer = open();
    auto x = writer->begin(asked);
    x.outcome = std::move(outcome);
    EXPECT_FALSE(writer->append(x));
  }

  void write(const std::string& text) const {
    std::ofstream{file, std::ios::binary} << text;
  }

  std::string content() const {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  cassette loaded() const {
    auto result = load_cassette(file);
    EXPECT_TRUE(result) << describe(result.error());
    return result ? *result : cassette{};
  }

  fs::path folder;
  fs::path file;
};

} // namespace

// -- the text ---------------------------------------------------------------------------

TEST(cassette, an_answer_reads_back_as_it_was_written) {
  auto written = exchange(answer("say\n\"this\" \x01"));
  written.attempt = 3;
  written.asked = 12;
  auto read = parsed(cassette_header() + line(written));
  ASSERT_EQ(read.exchanges.size(), 1u);
  const auto& x = read.exchanges[0];
  EXPECT_EQ(x.hash, written.hash);
  EXPECT_EQ(x.attempt, 3u);
  EXPECT_EQ(x.asked, 12u);
  EXPECT_EQ(x.question.session, "mlp");
  EXPECT_EQ(x.question.request, 7u);
  EXPECT_EQ(x.question.agent, "coder#2");
  EXPECT_EQ(x.question.role, "coder");
  EXPECT_EQ(x.question.model, "strong");
  EXPECT_EQ(x.question.system, "be \"brief\"");
  EXPECT_EQ(x.question.prompt, "make it fast");
  const auto& got = std::get<llm_answer>(x.outcome);
  EXPECT_EQ(got.text, "say\n\"this\" \x01");
  EXPECT_EQ(got.model, "gpt-x");
  EXPECT_EQ(got.finish, "stop");
  EXPECT_EQ(got.cost.queries, 1);
  EXPECT_EQ(got.cost.input_tokens, 900);
  EXPECT_EQ(got.cost.cached_input_tokens, 100);
  EXPECT_EQ(got.cost.output_tokens, 450);
  EXPECT_EQ(got.cost.reasoning_tokens, 30);
  EXPECT_EQ(got.cost.usd, 0.0125);
  EXPECT_EQ(got.seconds, 3.25);
}

TEST(cassette, a_conversation_reads_back_as_it_was_written) {
  auto asked = question();
  asked.follow_ups = {{"half \"an\" " + std::string{key.reveal()}, "go on"}};
  asked = kept_text{{key}}.of(asked);
  auto x = parsed(cassette_header() + line(exchange(answer("swer"), asked)));
  ASSERT_EQ(x.exchanges.size(), 1u);
  ASSERT_EQ(x.exchanges[0].question.follow_ups.size(), 1u);
  EXPECT_EQ(x.exchanges[0].question.follow_ups[0].answer, "half \"an\" [secret]");
  EXPECT_EQ(x.exchanges[0].question.follow_ups[0].prompt, "go on");
  EXPECT_NE(question_hash(asked), question_hash(question()));
  asked.follow_ups[0].answer += "x";
  EXPECT_NE(question_hash(asked), x.exchanges[0].hash);
}

TEST(cassette, a_conversation_that_was_edited_by_hand_is_an_error) {
  auto asked = question();
  asked.follow_ups = {{"half", "go on"}};
  auto text = line(exchange(answer("swer"), asked));
  text.replace(text.find("half"), 4, "hand");
  EXPECT_THAT(problem_of(cassette_header() + text), HasSubstr("x.jsonl:2: the key does not fit"));
}

TEST(cassette, a_failure_reads_back_as_it_was_written) {
  failure written{failure_kind::fail, "no such model", std::chrono::milliseconds{1500}, true, true};
  auto read = parsed(cassette_header() + line(exchange(written)));
  ASSERT_EQ(read.exchanges.size(), 1u);
  const auto& got = std::get<failure>(read.exchanges[0].outcome);
  EXPECT_EQ(got.kind, failure_kind::fail);
  EXPECT_EQ(got.sentence, "no such model");
  EXPECT_EQ(got.retry_after, std::chrono::milliseconds{1500});
  EXPECT_TRUE(got.may_be_charged);
  EXPECT_TRUE(got.unreached);
}

// With Python: hashlib.sha256(json.dumps([...], ensure_ascii=False, separators=(",",
// ":")).encode())
TEST(cassette, a_hash_is_the_same_in_every_version_of_lathe) {
  EXPECT_EQ(question_hash(question("zwei\nZeilen: \"\xC3\xA4\"")),
            "aa7075c470b00171c631cba7b8cc923834b5d1af98674c33cc6907a67b1581ee");
}

TEST(cassette, a_hash_does_not_depend_on_who_asks_and_when) {
  auto other = question();
  other.session = "scan";
  other.request = 8;
  other.agent = "coder#3";
  EXPECT_EQ(question_hash(other), question_hash(question()));
}

TEST(cassette, a_hash_tells_where_a_text_stands) {
  auto other = question();
  std::swap(other.system, other.prompt);
  EXPECT_NE(question_hash(other), question_hash(question()));
  other = question();
  other.role = "code";
  other.model = "rstrong";
  EXPECT_NE(question_hash(other), question_hash(question()));
}

TEST(cassette, half_a_last_line_is_passed_over_wherever_it_was_cut) {
  auto first = cassette_header() + line(exchange(answer("one")));
  auto second = line(exchange(answer("two"), question("another")));
  for (std::size_t size = 0; size < second.size(); ++size) {
    auto read = parsed(first + second.substr(0, size));
    ASSERT_EQ(read.exchanges.size(), 1u) << size;
    EXPECT_EQ(read.whole, first.size()) << size;
  }
}

TEST(cassette, half_a_first_line_holds_nothing) {
  for (std::size_t size = 0; size < cassette_header().size(); ++size)
    EXPECT_EQ(parsed(cassette_header().substr(0, size)).whole, 0u);
}

TEST(cassette, a_damaged_line_is_named_by_file_and_line) {
  auto good = line(exchange(answer("one")));
  auto damaged = good.substr(0, good.size() / 2) + "\n";
  EXPECT_THAT(problem_of(cassette_header() + damaged + good), StartsWith("x.jsonl:2: not JSON"));
  EXPECT_THAT(problem_of(cassette_header() + good + damaged), StartsWith("x.jsonl:3: not JSON"));
  EXPECT_THAT(problem_of(cassette_header() + good + "\n"), StartsWith("x.jsonl:3: not JSON"));
}

TEST(cassette, a_field_that_is_missing_or_of_another_type_is_named) {
  auto spoilt = [](const std::string& from, const std::string& to) {
    auto text = line(exchange(answer("one")));
    auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return problem_of(cassette_header() + text.replace(at, from.size(), to));
  };
  EXPECT_THAT(spoilt(R"("agent":)", R"("agnet":)"), EndsWith(":2: no valid 'agent'"));
  EXPECT_THAT(spoilt(R"("request":7)", R"("request":-7)"), EndsWith(":2: no valid 'request'"));
  EXPECT_THAT(spoilt(R"("usd":0.0125)", R"("usd":"much")"), EndsWith(":2: no valid 'usd'"));
  for (auto odd : {"-0.0125", "-1e-9", "1e16"})
    EXPECT_THAT(spoilt(R"("usd":0.0125)", R"("usd":)" + std::string{odd}),
                EndsWith(":2: no valid 'usd'"))
      << odd;
  for (auto odd : {"1e999", "NaN", "-Infinity"})
    EXPECT_THAT(spoilt(R"("usd":0.0125)", R"("usd":)" + std::string{odd}),
                HasSubstr(":2: not JSON"))
      << odd;
  for (auto key :
       {"queries", "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens"})
    for (auto odd : {"-1", "10000000000000000", "null"})
      EXPECT_THAT(spoilt(fmt::format("\"{}\":", key), fmt::format("\"{}\":{},\"was\":", key, odd)),
                  EndsWith(fmt::format(":2: no valid '{}'", key)))
        << odd;
  EXPECT_THAT(spoilt(R"("answer":)", R"("reply":)"), HasSubstr("neither 'answer' nor 'failure'"));
  EXPECT_THAT(spoilt(R"(#1")", R"(#0")"), HasSubstr("key does not fit"));
  EXPECT_THAT(spoilt(R"(#1")", R"(")"), HasSubstr("key does not fit"));
  EXPECT_THAT(spoilt(R"(#1")", R"(#1x")"), HasSubstr("key does not fit"));
  EXPECT_EQ(spoilt(R"("one")", R"("two")"), "none");
}

TEST(cassette, a_failure_of_unknown_kind_is_a_damaged_line) {
  auto text = line(exchange(failure{failure_kind::retry, "busy"}));
  text.replace(text.find("retry"), 5, "later");
  EXPECT_THAT(problem_of(cassette_header() + text), EndsWith(":2: no valid 'kind'"));
}

TEST(cassette, a_question_that_was_edited_by_hand_is_an_error) {
  auto text = line(exchange(answer("one")));
  text.replace(text.find("fast"), 4, "slow");
  EXPECT_THAT(problem_of(cassette_header() + text), HasSubstr("x.jsonl:2: the key does not fit"));
}

TEST(cassette, another_version_is_refused) {
  EXPECT_THAT(problem_of(R"({"format":"lathe-cassette","version":2})"
                         "\n"),
              HasSubstr("x.jsonl:1: a recording of version 2, but this Lathe reads version 1"));
}

TEST(cassette, any_other_file_is_refused) {
  EXPECT_THAT(problem_of("hello\n"), StartsWith("x.jsonl:1: not a recording"));
  EXPECT_THAT(problem_of(R"({"version":1,"format":"lathe-cassette"})"),
              StartsWith("x.jsonl:1: not a recording"));
  EXPECT_THAT(problem_of("hello"), StartsWith("x.jsonl:1: not a recording"));
  EXPECT_THAT(problem_of("{\"format\":\"other\"}\n"), StartsWith("x.jsonl:1: not a recording"));
  EXPECT_THAT(problem_of(line(exchange(answer("one")))), StartsWith("x.jsonl:1: not a recording"));
}

TEST(cassette, of_two_recordings_of_an_exchange_the_first_counts) {
  auto again = exchange(answer("second"));
  auto next = exchange(answer("third"));
  next.attempt = 2;
  auto read =
    parsed(cassette_header() + line(exchange(answer("first"))) + line(again) + line(next));
  ASSERT_EQ(read.exchanges.size(), 2u);
  EXPECT_EQ(text_of(read.exchanges[0]), "first");
  EXPECT_EQ(text_of(read.exchanges[1]), "third");
}

TEST(cassette, a_text_that_is_not_utf_8_can_be_written_and_found_again) {
  kept_text kept{{}};
  auto asked = kept.of(question("a\xFFz\xC3"));
  EXPECT_EQ(asked.prompt, "a\xEF\xBF\xBDz\xEF\xBF\xBD");
  auto read = parsed(cassette_header() + line(exchange(answer("\x80"), asked)));
  ASSERT_EQ(read.exchanges.size(), 1u);
  EXPECT_EQ(read.exchanges[0].question.prompt, asked.prompt);
  EXPECT_EQ(text_of(read.exchanges[0]), "\xEF\xBF\xBD");
}

TEST(cassette, a_key_is_masked_in_every_text) {
  auto leak = "<" + key.reveal() + ">";
  auto told = answer(leak);
  told.model = told.finish = leak;
  llm_request asked{leak, 7, leak, leak, leak, leak, leak};
  auto text =
    line(exchange(told, asked)) + line(exchange(failure{failure_kind::fail, leak}, asked));
  EXPECT_THAT(text, Not(HasSubstr(key.reveal())));
  EXPECT_THAT(text, HasSubstr(R"("text":"<[secret]>")"));
  EXPECT_THAT(text, HasSubstr(R"("sentence":"<[secret]>")"));
}

TEST(cassette, of_a_key_that_begins_with_another_nothing_is_left) {
  kept_text kept{{key, secret{key.reveal() + "-tail"}}};
  EXPECT_EQ(kept.of(key.reveal() + "-tail"), "[secret]");
}

// -- the file ---------------------------------------------------------------------------

TEST_F(cassette_file, it_can_be_read_by_its_owner_alone) {
  open();
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(content(), cassette_header());
}

TEST_F(cassette_file, what_others_could_read_becomes_its_owners_alone) {
  const auto before = fs::perms::owner_all | fs::perms::group_read | fs::perms::others_read;
  for (auto text : {std::string{}, cassette_header()}) {
    std::ofstream{file} << text;
    fs::permissions(file, before);
    open();
    EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
}

TEST_F(cassette_file, the_mode_of_a_file_that_is_no_recording_stays) {
  const auto before = fs::perms::owner_read | fs::perms::owner_write | fs::perms::others_read;
  std::ofstream{file} << "my notes\n";
  fs::permissions(file, before);
  EXPECT_FALSE(cassette_writer::open(file, {}));
  EXPECT_EQ(fs::status(file).permissions(), before);
}

TEST_F(cassette_file, equal_questions_are_numbered_on_over_runs) {
  record(question(), answer("one"));
  record(question(), answer("two"));
  record(question("another"), answer("three"));
  auto read = loaded();
  ASSERT_EQ(read.exchanges.size(), 3u);
  EXPECT_EQ(read.exchanges[0].attempt, 1u);
  EXPECT_EQ(read.exchanges[1].attempt, 2u);
  EXPECT_EQ(read.exchanges[2].attempt, 1u);
  EXPECT_EQ(read.exchanges[2].asked, 3u);
}

TEST_F(cassette_file, half_a_last_line_is_cut_off_before_the_next_append) {
  record(question(), answer("one"));
  auto whole = content();
  write(whole + R"({"key":"12)");
  record(question(), answer("two"));
  EXPECT_THAT(content(), StartsWith(whole + R"({"key":")"));
  auto read = loaded();
  ASSERT_EQ(read.exchanges.size(), 2u);
  EXPECT_EQ(text_of(read.exchanges[1]), "two");
}

TEST_F(cassette_file, half_a_first_line_is_written_anew) {
  write(cassette_header().substr(0, 9));
  record(question(), answer("one"));
  EXPECT_EQ(loaded().exchanges.size(), 1u);
}

TEST_F(cassette_file, nothing_else_is_overwritten) {
  for (const std::string text : {"the only copy", "the only copy\n", "{}\n"}) {
    write(text);
    auto writer = cassette_writer::open(file, {});
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error(), errc::user_error);
    EXPECT_THAT(describe(writer.error()), HasSubstr("x.jsonl:1: "));
    EXPECT_EQ(content(), text);
  }
}

TEST_F(cassette_file, it_has_one_writer_at_a_time) {
  auto first = open();
  auto second = cassette_writer::open(file, {});
  ASSERT_FALSE(second);
  EXPECT_THAT(describe(second.error()), HasSubstr("another run"));
  first.reset();
  EXPECT_TRUE(open());
}

TEST_F(cassette_file, what_cannot_be_opened_is_named) {
  for (const auto& path : {folder / "none" / "x.jsonl", folder, fs::path{"/dev/null"}}) {
    auto writer = cassette_writer::open(path, {});
    ASSERT_FALSE(writer);
    EXPECT_THAT(describe(writer.error()), HasSubstr(path.string() + " cannot be written"));
  }
  EXPECT_THAT(describe(load_cassette(file).error()), HasSubstr("x.jsonl cannot be read"));
  EXPECT_THAT(describe(load_cassette(folder).error()), HasSubstr("cannot be read"));
  write("");
  EXPECT_THAT(describe(load_cassette(file).error()), HasSubstr("it is empty"));
}

TEST_F(cassette_file, a_full_disk_leaves_whole_lines) {
  auto writer = open();
  auto x = writer->begin(question());
  x.outcome = answer(std::string(1000, 'x'));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto limit = before;
  limit.rlim_cur = content().size() + 100;
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  auto problem = writer->append(x);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(problem, errc::environment_error);
  EXPECT_THAT(describe(problem), HasSubstr("the disk or a limit is full"));
  EXPECT_EQ(content(), cassette_header());
  EXPECT_FALSE(writer->append(x));
  EXPECT_EQ(loaded().exchanges.size(), 1u);
}

TEST_F(cassette_file, threads_write_whole_lines_and_number_without_gaps) {
  auto writer = open();
  auto work = [&] {
    for (int i = 0; i < 50; ++i) {
      auto x = writer->begin(question());
      x.outcome = answer(std::string(10'000, 'x'));
      EXPECT_FALSE(writer->append(x));
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back(work);
  for (auto& x : threads)
    x.join();
  auto read = loaded();
  ASSERT_EQ(read.exchanges.size(), 200u);
  std::vector<bool> seen(201);
  for (const auto& x : read.exchanges)
    seen.at(x.attempt) = true;
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 200);
}
