#include "llm_clients/recording_provider.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <thread>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

const secret key{"sk-0123456789"};

// Does with a question what a test says.
class fake_provider : public provider {
public:
  using behavior = std::function<void(const llm_request&, completion)>;

  explicit fake_provider(behavior f) : behavior_(std::move(f)) {
    // nop
  }

  void ask(const llm_request& question, completion done) override {
    behavior_(question, std::move(done));
  }

private:
  behavior behavior_;
};

llm_request question(std::string prompt = "make it fast") {
  return {"mlp", 7, "coder#2", "coder", "strong", "be brief", std::move(prompt)};
}

llm_answer answer(std::string text) {
  llm_answer result;
  result.text = std::move(text);
  return result;
}

class recording : public testing::Test {
public:
  recording() {
    std::string pattern = (fs::temp_directory_path() / "lathe-recording-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    writer = *cassette_writer::open(folder / "x.jsonl", {key});
  }

  ~recording() override {
    fs::remove_all(folder);
  }

  recording_provider around(fake_provider::behavior f) const {
    return {std::make_unique<fake_provider>(std::move(f)), writer};
  }

  std::vector<recorded_exchange> recorded() const {
    auto result = load_cassette(folder / "x.jsonl");
    EXPECT_TRUE(result) << describe(result.error());
    return result ? result->exchanges : std::vector<recorded_exchange>{};
  }

  fs::path folder;
  std::shared_ptr<cassette_writer> writer;
};

} // namespace

TEST_F(recording, an_exchange_is_in_the_file_before_its_reply_is_handed_on) {
  auto x = around([](const llm_request&, const completion& done) { done(answer("fast")); });
  std::size_t heard = 0;
  x.ask(question(), completion{[&](reply y) {
          EXPECT_EQ(std::get<llm_answer>(y).text, "fast");
          EXPECT_EQ(recorded().size(), ++heard);
        }});
  EXPECT_EQ(heard, 1u);
  EXPECT_EQ(recorded()[0].question.prompt, "make it fast");
  EXPECT_EQ(std::get<llm_answer>(recorded()[0].outcome).text, "fast");
}

TEST_F(recording, equal_questions_are_numbered_as_they_are_asked) {
  std::vector<completion> waiting;
  auto x = around([&](const llm_request&, completion done) { waiting.push_back(std::move(done)); });
  x.ask(question(), completion{[](reply) {}});
  x.ask(question(), completion{[](reply) {}});
  waiting[1](answer("second"));
  waiting[0](answer("first"));
  auto got = recorded();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].attempt, 2u);
  EXPECT_EQ(std::get<llm_answer>(got[0].outcome).text, "second");
  EXPECT_EQ(got[1].attempt, 1u);
  EXPECT_EQ(std::get<llm_answer>(got[1].outcome).text, "first");
}

TEST_F(recording, of_two_replies_the_first_is_recorded) {
  auto x = around([](const llm_request&, const completion& done) {
    done(answer("first"));
    done(answer("second"));
  });
  x.ask(question(), completion{[](reply) {}});
  ASSERT_EQ(recorded().size(), 1u);
  EXPECT_EQ(std::get<llm_answer>(recorded()[0].outcome).text, "first");
}

TEST_F(recording, a_failure_and_a_dropped_question_are_recorded_too) {
  auto x = around([](const llm_request& asked, const completion& done) {
    if (asked.prompt == "fail")
      done(failure{failure_kind::fail, "no such model", {}, true});
  });
  std::vector<reply> heard;
  for (auto prompt : {"fail", "drop"})
    x.ask(question(prompt), completion{[&](reply y) { heard.push_back(std::move(y)); }});
  auto got = recorded();
  ASSERT_EQ(got.size(), 2u);
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(std::get<failure>(got[0].outcome).sentence, "no such model");
  EXPECT_TRUE(std::get<failure>(got[0].outcome).may_be_charged);
  EXPECT_EQ(std::get<failure>(got[1].outcome).kind, failure_kind::retry);
}

TEST_F(recording, a_key_that_an_answer_quotes_is_handed_on_but_not_recorded) {
  auto x = around([](const llm_request& asked, const completion& done) {
    done(answer("you sent " + asked.prompt));
  });
  std::string heard;
  x.ask(question(key.reveal()), completion{[&](reply y) { heard = std::get<llm_answer>(y).text; }});
  EXPECT_EQ(heard, "you sent " + key.reveal());
  std::ifstream in{folder / "x.jsonl"};
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  EXPECT_THAT(text, Not(HasSubstr(key.reveal())));
  EXPECT_THAT(text, HasSubstr("you sent [secret]"));
}

TEST_F(recording, the_question_reaches_the_provider_unchanged) {
  std::string asked;
  auto x = around([&](const llm_request& y, const completion&) { asked = y.prompt; });
  x.ask(question("\xFF" + key.reveal()), completion{[](reply) {}});
  EXPECT_EQ(asked, "\xFF" + key.reveal());
}

TEST_F(recording, the_provider_may_throw) {
  auto x =
    around([](const llm_request&, const completion&) { throw std::runtime_error{"broken"}; });
  std::optional<reply> heard;
  EXPECT_THROW(x.ask(question(), completion{[&](reply y) { heard = std::move(y); }}),
               std::runtime_error);
  ASSERT_TRUE(heard);
  EXPECT_EQ(std::get<failure>(*heard).kind, failure_kind::retry);
}

TEST_F(recording, replies_from_many_threads_are_all_recorded) {
  std::vector<std::thread> threads;
  auto x = around([&](const llm_request& asked, completion done) {
    threads.emplace_back([text = asked.prompt, done = std::move(done)] { done(answer(text)); });
  });
  std::atomic<int> heard = 0;
  for (int i = 0; i < 16; ++i)
    x.ask(question(std::to_string(i)), completion{[&](reply) { ++heard; }});
  for (auto& thread : threads)
    thread.join();
  EXPECT_EQ(heard, 16);
  auto got = recorded();
  ASSERT_EQ(got.size(), 16u);
  for (const auto& each : got)
    EXPECT_EQ(std::get<llm_answer>(each.outcome).text, each.question.prompt);
}

TEST_F(recording, that_a_question_waits_in_a_mailbox_is_not_recorded) {
  int looks = 0;
  auto subject = around([&](const llm_request&, completion done) {
    done(++looks == 1 ? reply{failure{failure_kind::wait, "no answer yet"}} : answer("at last"));
  });
  for (int i = 0; i < 2; ++i)
    subject.ask(question(), completion{[](reply) {}});
  auto exchanges = recorded();
  ASSERT_EQ(exchanges.size(), 1u);
  EXPECT_EQ(std::get<llm_answer>(exchanges[0].outcome).text, "at last");
}
