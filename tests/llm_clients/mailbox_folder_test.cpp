#include "llm_clients/mailbox_folder.hpp"

#include "llm_clients/io_thread.hpp"
#include "llm_clients/mailbox_provider.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <future>
#include <iterator>

#include <csignal>
#include <sys/resource.h>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;
namespace fs = std::filesystem;

namespace {

llm_request question(request_id id) {
  return {"mlp", id, "coder", "coder", "box", "", fmt::format("question {}", id)};
}

class mailbox_on_disk : public testing::Test {
protected:
  mailbox_on_disk() {
    std::string pattern = (fs::temp_directory_path() / "lathe-mailbox-XXXXXX").string();
    root = mkdtemp(pattern.data());
    model.name = "box";
    model.model = "m";
    model.provider = provider_kind::mailbox;
    model.folder = (root / "mail/box").string();
  }

  ~mailbox_on_disk() override {
    subject.reset();
    fs::remove_all(root);
  }

  void open() {
    subject.reset(); // one at a time
    auto opened = mailbox_folder::open(model);
    ASSERT_TRUE(opened) << describe(opened.error());
    subject = std::move(*opened);
  }

  fs::path file(const std::string& name) const {
    return fs::path{model.folder} / name;
  }

  std::string read(const std::string& name = "requests.jsonl") const {
    std::ifstream in{file(name), std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  void write(const std::string& text, const std::string& name = "responses.jsonl") const {
    std::ofstream{file(name), std::ios::binary} << text;
  }

  void append(const std::string& text, const std::string& name = "responses.jsonl") const {
    std::ofstream{file(name), std::ios::binary | std::ios::app} << text;
  }

  std::string answer(request_id id, const std::string& text) const {
    return fmt::format(R"({{"custom_id":"{}","response":{{"status_code":200,"body":{{"choices":)"
                       R"([{{"message":{{"content":"{}"}}}}]}}}},"error":null}})"
                       "\n",
                       custom_id(model, question(id)), text);
  }

  // What each question gets: its answer's text, or the kind of failure.
  std::vector<std::string> ask(const std::vector<request_id>& ids) {
    std::vector<llm_request> questions;
    for (auto id : ids)
      questions.push_back(question(id));
    std::vector<std::string> result;
    for (auto& x : subject->ask(questions))
      result.push_back(text_of(x));
    return result;
  }

  static std::string text_of(const reply& x) {
    if (auto given = std::get_if<llm_answer>(&x))
      return given->text;
    auto& why = std::get<failure>(x);
    return why.kind == failure_kind::wait ? "waits" : why.sentence;
  }

  fs::path root;
  model_config model;
  std::unique_ptr<mailbox_folder> subject;
};

} // namespace

TEST_F(mailbox_on_disk, a_question_is_posted_once_and_answered_when_the_answer_is_there) {
  open();
  EXPECT_THAT(ask({1, 2, 1}), Each("waits"));
  EXPECT_EQ(read(), batch_line(model, question(1)) + batch_line(model, question(2)));
  EXPECT_THAT(ask({1, 2}), Each("waits"));
  append(answer(2, "two"));
  EXPECT_THAT(ask({1, 2}), ElementsAre("waits", "two"));
  append(answer(1, "one"));
  EXPECT_THAT(ask({1, 2, 3}), ElementsAre("one", "two", "waits"));
  EXPECT_EQ(std::ranges::count(read(), '\n'), 3);
}

TEST_F(mailbox_on_disk, who_takes_it_over_knows_what_was_posted_and_answered) {
  open();
  ask({1, 2});
  append(answer(1, "one"));
  auto posted = read();
  open();
  EXPECT_THAT(ask({1, 2}), ElementsAre("one", "waits"));
  EXPECT_EQ(read(), posted);
  subject.reset();
  fs::rename(model.folder, root / "elsewhere");
  model.folder = (root / "elsewhere").string();
  open();
  EXPECT_THAT(ask({1, 2}), ElementsAre("one", "waits"));
  EXPECT_EQ(read(), posted);
}

TEST_F(mailbox_on_disk, half_a_question_that_a_crash_left_is_posted_again) {
  open();
  ask({1, 2});
  auto whole = read();
  subject.reset();
  for (auto cut : {whole.size() - 2, whole.size() / 2 + 1, whole.size() - 1}) {
    write(whole.substr(0, cut), "requests.jsonl");
    open();
    EXPECT_THAT(ask({1, 2}), Each("waits"));
    EXPECT_EQ(read(), whole) << cut;
  }
}

TEST_F(mailbox_on_disk, half_an_answer_waits_for_its_other_half) {
  open();
  auto line = answer(1, "one");
  for (std::size_t i = 0; i + 2 < line.size(); i += 7) {
    write(line.substr(0, i));
    EXPECT_THAT(ask({1}), ElementsAre("waits")) << i;
  }
  append("nonsense\n\n{\"custom_id\":\"mlp-99-unknown\",\"response\":null}\n");
  append(line.substr(0, line.size() - 1)); // by an editor that ends no last line
  EXPECT_THAT(ask({1}), ElementsAre("one"));
  append("\n" + answer(2, "two"));
  EXPECT_THAT(ask({2}), ElementsAre("two"));
}

TEST_F(mailbox_on_disk, a_line_that_is_mended_in_place_is_read) {
  open();
  auto first = answer(1, std::string(5'000, '1'));
  auto broken = std::string{"{\"custom_id\": no JSON}\n"};
  write(first + broken);
  EXPECT_THAT(ask({2}), ElementsAre("waits"));
  write(first + answer(2, "two"));
  EXPECT_THAT(ask({2}), ElementsAre("two"));
}

TEST_F(mailbox_on_disk, a_byte_order_mark_is_no_part_of_a_line) {
  open();
  EXPECT_THAT(ask({1}), ElementsAre("waits"));
  write("\xef\xbb\xbf" + answer(1, "one"));
  EXPECT_THAT(ask({1}), ElementsAre("one"));
}

TEST_F(mailbox_on_disk, a_file_that_is_replaced_is_read_from_its_start) {
  open();
  write(answer(1, "one"));
  EXPECT_THAT(ask({1, 2, 3, 4}), ElementsAre("one", "waits", "waits", "waits"));
  write(answer(2, std::string(5'000, '2'))); // the same file, longer than before
  EXPECT_THAT(ask({1})[0], "one") << "what was read stays";
  EXPECT_THAT(ask({2})[0], SizeIs(5'000));
  write(answer(3, "three")); // shorter
  EXPECT_THAT(ask({3}), ElementsAre("three"));
  write(answer(4, "four!"), "new"); // of the same length, by another name
  fs::rename(file("new"), file("responses.jsonl"));
  EXPECT_THAT(ask({4}), ElementsAre("four!"));
}

TEST_F(mailbox_on_disk, answers_may_come_in_several_files) {
  open();
  write(answer(1, "one"), "responses-batch_2.jsonl");
  write(answer(2, "two"), "responses.jsonl");
  write(answer(3, "three"), "responses.jsonl.part");
  write(answer(3, "three"), "old-responses.jsonl");
  fs::create_directory(file("responses-folder.jsonl"));
  EXPECT_THAT(ask({1, 2, 3}), ElementsAre("one", "two", "waits"));
}

TEST_F(mailbox_on_disk, ten_thousand_answers_are_read_once) {
  open();
  std::vector<request_id> ids;
  std::string text;
  for (request_id id = 1; id <= 10'000; ++id) {
    ids.push_back(id);
    text += answer(id, std::string(2'000, 'x'));
  }
  auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(ask(ids), Each("waits"));
  write(text);
  EXPECT_THAT(ask(ids), Each(SizeIs(2'000)));
  for (request_id id = 1; id <= 200; ++id) // each finds it in what was read
    EXPECT_THAT(ask({id}), ElementsAre(SizeIs(2'000)));
  auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  RecordProperty("seconds", std::to_string(seconds));
}

TEST_F(mailbox_on_disk, one_run_at_a_time_has_it) {
  open();
  auto second = mailbox_folder::open(model);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), errc::user_error);
  EXPECT_THAT(describe(second.error()), HasSubstr("in use by another run"));
}

TEST_F(mailbox_on_disk, a_folder_that_cannot_be_made_is_named) {
  std::ofstream{root / "mail"} << "a file";
  auto opened = mailbox_folder::open(model);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), errc::environment_error);
  EXPECT_THAT(describe(opened.error()), HasSubstr("mail/box"));
}

TEST_F(mailbox_on_disk, questions_that_do_not_fit_the_disk_are_not_half_there) {
  open();
  ask({1});
  auto before = read();
  rlimit had{};
  getrlimit(RLIMIT_FSIZE, &had);
  auto was = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small{before.size() + 100, had.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  auto replies = ask({1, 2});
  setrlimit(RLIMIT_FSIZE, &had);
  std::signal(SIGXFSZ, was);
  EXPECT_THAT(replies, ElementsAre("waits", HasSubstr("requests.jsonl cannot be written")));
  EXPECT_EQ(read(), before);
  EXPECT_THAT(ask({2}), ElementsAre("waits"));
  EXPECT_EQ(read(), before + batch_line(model, question(2)));
}

TEST_F(mailbox_on_disk, questions_that_are_moved_away_are_asked_for) {
  open();
  ask({1});
  fs::rename(file("requests.jsonl"), file("uploaded.jsonl"));
  EXPECT_THAT(ask({1, 2}), ElementsAre("waits", HasSubstr("put it back")));
}

TEST_F(mailbox_on_disk, the_provider_makes_the_folder_with_the_first_question) {
  auto disk = std::make_shared<io_thread>();
  mailbox_provider asked{model, disk};
  EXPECT_FALSE(fs::exists(model.folder));
  std::vector<std::future<reply>> replies;
  for (request_id id : {1, 2, 3}) {
    auto said = std::make_shared<std::promise<reply>>();
    replies.push_back(said->get_future());
    asked.ask(question(id), completion{[said](reply x) { said->set_value(std::move(x)); }});
  }
  for (auto& x : replies)
    EXPECT_EQ(text_of(x.get()), "waits");
  EXPECT_EQ(read(), batch_line(model, question(1)) + batch_line(model, question(2))
                      + batch_line(model, question(3)));
}
