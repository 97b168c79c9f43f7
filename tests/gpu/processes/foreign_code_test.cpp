// What the worker makes of task files and candidates, good and bad.
#include "tests/gpu/processes/process_fixture.hpp"

#include <boost/json/array.hpp>
#include <gmock/gmock.h>

#include <set>
#include <sstream>

namespace lathe::gpu::testing {

using ::testing::HasSubstr;
using ::testing::Not;

class foreign_code : public process_fixture {
protected:
  static std::string summary_of(std::string_view source, std::string_view class_name = "Model") {
    auto worker = spawn();
    auto loaded = load(*worker, source, class_name);
    if (loaded.ok())
      return "";
    EXPECT_EQ(loaded.problem().how, outcome::build_failed);
    return loaded.problem().summary;
  }

  // Asks the oracle for a value and returns the file that it made.
  static gpu::shared_memory ask_for(gpu::worker_process& worker, boost::json::object request) {
    auto answer = worker.call(std::move(request), {}, 60s);
    EXPECT_TRUE(answer.ok()) << answer.problem().message;
    EXPECT_EQ(answer.fds.size(), 1u);
    auto file = gpu::shared_memory::adopt(std::move(answer.fds.at(0)), 1 << 20);
    if (!file)
      throw std::runtime_error(describe(file.error()));
    return std::move(*file);
  }

  static std::string text_of(const gpu::shared_memory& file) {
    auto view = file.map();
    auto bytes = view->bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

TEST_F(foreign_code, a_class_that_is_missing_is_named) {
  EXPECT_EQ(summary_of("x = 1"), "coder#1.py defines no class Model");
  EXPECT_EQ(summary_of("", "ModelNew"), "coder#1.py defines no class ModelNew");
}

TEST_F(foreign_code, a_task_needs_get_inputs) {
  EXPECT_EQ(summary_of("class Model: pass"), "coder#1.py defines no function get_inputs");
}

TEST_F(foreign_code, an_error_at_import_comes_with_its_line) {
  EXPECT_EQ(summary_of("import torch\n\nraise ValueError('no\\nluck')"),
            "coder#1.py:3: ValueError: no");
  EXPECT_EQ(summary_of("x = 1\ndef f(:\n"), "coder#1.py:2: invalid syntax");
  EXPECT_EQ(summary_of("\nimport not_a_package_anybody_has"),
            "coder#1.py:2: needs the Python package 'not_a_package_anybody_has', which is not "
            "installed for this Python; a task or candidate is one file and sees none beside it");
}

TEST_F(foreign_code, bytes_that_are_not_python_are_a_failed_build) {
  EXPECT_THAT(summary_of(std::string_view{"\0\1\2", 3}), HasSubstr("null bytes"));
  EXPECT_THAT(summary_of("x = '\xff\xfe'"), HasSubstr("utf-8"));
}

TEST_F(foreign_code, leaving_at_import_is_a_failed_build) {
  EXPECT_EQ(summary_of("import sys\nsys.exit(0)"), "coder#1.py:2: SystemExit: 0");
}

TEST_F(foreign_code, an_exception_shows_the_authors_lines_and_none_of_ours) {
  auto worker = spawn();
  prepare(*worker, "return helper(x)\ndef helper(x):\n  return x @ torch.ones(7)");
  auto answer = run(*worker);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::crashed);
  EXPECT_EQ(answer.problem().line, 6);
  EXPECT_THAT(answer.problem().message, HasSubstr("\"coder#1.py\", line 4, in forward"));
  EXPECT_THAT(answer.problem().message, HasSubstr("return x @ torch.ones(7)"));
  EXPECT_THAT(answer.problem().message, Not(HasSubstr("worker.py")));
  EXPECT_THAT(answer.problem().message, Not(HasSubstr("/tmp/")));
  EXPECT_TRUE(worker->alive());
}

TEST_F(foreign_code, an_exception_within_torch_names_no_folder_of_this_machine) {
  auto worker = spawn();
  prepare(*worker, "return torch.nn.functional.cross_entropy(x, 7)");
  auto message = run(*worker).problem().message;
  EXPECT_THAT(message, HasSubstr("File \"torch/nn/functional.py\", line "));
  EXPECT_THAT(message, Not(HasSubstr("site-packages")));
}

TEST_F(foreign_code, finds_none_of_our_modules_by_name) {
  auto worker = spawn();
  prepare(*worker, "import sys\n"
                   "    ours = 'devices failures inputs integrity lathe_native values worker'\n"
                   "    print([name for name in ours.split() if name in sys.modules])\n"
                   "    return x");
  ASSERT_TRUE(run(*worker).ok());
  EXPECT_EQ(worker->output_tail(), "[]\n");
}

TEST_F(foreign_code, changed_inputs_are_reported_and_restored) {
  auto worker = spawn();
  prepare(*worker, "seen = x.clone(); x.zero_(); print(seen.tolist()); return seen");
  EXPECT_EQ(run(*worker).flag("inputs_changed"), true);
  EXPECT_EQ(run(*worker).flag("inputs_changed"), true);
  EXPECT_EQ(worker->output_tail(), "[1.0, 2.0, 3.0, 4.0]\n[1.0, 2.0, 3.0, 4.0]\n");
}

TEST_F(foreign_code, inputs_left_alone_are_not_reported) {
  auto worker = spawn();
  prepare(*worker, "return x + 1");
  EXPECT_EQ(run(*worker).flag("inputs_changed"), false);
}

TEST_F(foreign_code, fresh_memory_is_poisoned) {
  auto worker = spawn();
  prepare(*worker, "print(torch.empty(1000, dtype=torch.uint8).unique().tolist()); return x");
  ASSERT_TRUE(run(*worker).ok());
  EXPECT_EQ(worker->output_tail(), "[90]\n"); // glibc fills with the complement of 0xA5
}

TEST_F(foreign_code, an_output_that_is_too_large_for_its_file_is_incorrect) {
  auto worker = spawn();
  prepare(*worker, "return torch.zeros(1 << 20)");
  auto answer = run(*worker);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::incorrect);
}

TEST_F(foreign_code, any_nesting_of_values_travels_and_comes_back_the_same) {
  // The oracle writes a value, the candidate reads it and writes it again: the same bytes.
  constexpr auto task = R"(
import torch
class Model(torch.nn.Module):
  def forward(self, *args): return list(args)
def get_inputs():
  return [torch.randn(3, 5).t(), {"a": (1, True, None), "b": [0.1, float("nan"), float("-inf")]},
          torch.tensor(float("nan")), torch.empty(0, 4), "text \u00e4", torch.arange(3),
          torch.ones(2, dtype=torch.bfloat16), torch.tensor([True, False]),
          torch.ones(2, dtype=torch.complex64), -7]
)";
  auto oracle = spawn();
  ASSERT_TRUE(load(*oracle, task, "Model").ok());
  auto drawn = ask_for(*oracle, {{"op", "draw"}, {"seed", 5}});
  auto nothing = ask_for(*oracle, {{"op", "arguments"}, {"seed", 5}});

  auto candidate = spawn();
  ASSERT_TRUE(
    load(*candidate, "class ModelNew:\n  def __call__(self, *args): return list(args)\n").ok());
  int arguments[] = {nothing.fd()};
  ASSERT_TRUE(candidate->call({{"op", "construct"}, {"seed", 1}}, arguments, 60s).ok());
  int inputs[] = {drawn.fd()};
  ASSERT_TRUE(candidate->call({{"op", "inputs"}, {"name", "x"}}, inputs, 60s).ok());
  auto output = gpu::shared_memory::make(drawn.size() + 4096);
  int outputs[] = {output->fd()};
  auto answer = candidate->call({{"op", "run"}, {"inputs", "x"}}, outputs, 60s);
  ASSERT_TRUE(answer.ok()) << answer.problem().message;
  EXPECT_EQ(answer.flag("inputs_changed"), false) << "NaN equals itself here";
  auto size = static_cast<std::size_t>(answer.integer("bytes").value_or(0));
  EXPECT_EQ(text_of(*output).substr(0, size), text_of(drawn));
  EXPECT_THAT(text_of(drawn).substr(0, 4), "LVAL");
  EXPECT_THAT(text_of(drawn),
              HasSubstr(R"({"list": [{"f": "0.1"}, {"f": "nan"}, {"f": "-inf"}]})"));
  EXPECT_THAT(text_of(drawn), HasSubstr(R"({"tuple": [{"v": 1}, {"v": true}, {"v": null}]})"));
}

TEST_F(foreign_code, a_value_that_cannot_travel_is_named) {
  auto worker = spawn();
  prepare(*worker, "return object()");
  EXPECT_THAT(run(*worker).problem().message, HasSubstr("type object cannot travel"));
}

TEST_F(foreign_code, the_same_seed_gives_the_same_weights_and_inputs) {
  constexpr auto task = "import torch\n"
                        "class Model(torch.nn.Module):\n"
                        "  def __init__(self, n):\n"
                        "    super().__init__(); self.layer = torch.nn.Linear(n, n)\n"
                        "  def forward(self, x): return self.layer(x)\n"
                        "def get_inputs(): return [torch.randn(2, 4)]\n"
                        "def get_init_inputs(): return [4]\n";
  auto oracle = spawn();
  ASSERT_TRUE(load(*oracle, task, "Model").ok());
  auto arguments = ask_for(*oracle, {{"op", "arguments"}, {"seed", 3}});
  auto drawn = ask_for(*oracle, {{"op", "draw"}, {"seed", 3}});
  EXPECT_EQ(text_of(drawn), text_of(ask_for(*oracle, {{"op", "draw"}, {"seed", 3}})));
  EXPECT_NE(text_of(drawn), text_of(ask_for(*oracle, {{"op", "draw"}, {"seed", 4}})));
  auto answer_under = [&](int seed) {
    int construct_fds[] = {arguments.fd()};
    auto made = oracle->call({{"op", "construct"}, {"seed", seed}}, construct_fds, 60s);
    EXPECT_EQ(made.integer("parameters"), 20);
    int input_fds[] = {drawn.fd()};
    EXPECT_TRUE(oracle->call({{"op", "inputs"}, {"name", "x"}}, input_fds, 60s).ok());
    return text_of(ask_for(*oracle, {{"op", "run"}, {"inputs", "x"}}));
  };
  EXPECT_EQ(answer_under(1), answer_under(1));
  EXPECT_NE(answer_under(1), answer_under(2));
  auto early = oracle->call({{"op", "correct"}, {"inputs", "x"}}, {}, 60s);
  EXPECT_THAT(early.problem().message, HasSubstr("no output was remembered"));
  ask_for(*oracle, {{"op", "run"}, {"inputs", "x"}, {"remember", true}});
  auto correction = ask_for(*oracle, {{"op", "correct"}, {"inputs", "x"}});
  EXPECT_THAT(text_of(correction), HasSubstr(R"("dtype": "bfloat16", "shape": [2, 4])"));
}

TEST_F(foreign_code, weights_are_changed_to_see_whether_the_answer_follows) {
  auto answers = [](std::string_view forward) {
    auto worker = spawn();
    auto loaded = load(*worker, "import torch\n"
                                "class ModelNew(torch.nn.Module):\n"
                                "  def __init__(self):\n"
                                "    super().__init__()\n"
                                "    self.layer = torch.nn.Linear(4, 4)\n"
                                "    self.folded = [(self.layer.weight * 2).detach()]\n"
                                "  def forward(self, x):\n"
                                "    return "
                                  + std::string{forward} + "\n");
    EXPECT_TRUE(loaded.ok()) << loaded.problem().message;
    auto nothing = float_values({});
    auto x = float_values({{1, 2, 3, 4}});
    int arguments[] = {nothing.fd()};
    int inputs[] = {x.fd()};
    EXPECT_TRUE(worker->call({{"op", "construct"}, {"seed", 1}}, arguments, 60s).ok());
    EXPECT_TRUE(worker->call({{"op", "inputs"}, {"name", "x"}}, inputs, 60s).ok());
    auto before = shared_memory::make(64 * 1024);
    auto after = shared_memory::make(64 * 1024);
    int before_fds[] = {before->fd()};
    int after_fds[] = {after->fd()};
    EXPECT_TRUE(worker->call({{"op", "run"}, {"inputs", "x"}}, before_fds, 60s).ok());
    auto changed = worker->call({{"op", "perturb"}, {"inputs", "x"}}, after_fds, 60s);
    EXPECT_EQ(changed.integer("changed"), 2) << "weight and bias";
    return std::pair{text_of(*before), text_of(*after)};
  };
  auto folding = answers("x @ self.folded[0]");
  EXPECT_EQ(folding.first, folding.second);
  auto following = answers("x @ self.layer.weight * 2");
  EXPECT_NE(following.first, following.second);
}

TEST_F(foreign_code, a_model_without_weights_is_not_called_when_there_are_none_to_change) {
  auto worker = spawn();
  prepare(*worker, "os.abort()");
  auto changed = worker->call({{"op", "perturb"}, {"inputs", "x"}}, {}, 60s);
  ASSERT_TRUE(changed.ok()) << changed.problem().message;
  EXPECT_EQ(changed.integer("changed"), 0);
}

TEST_F(foreign_code, timed_calls_get_their_inputs_at_the_same_address) {
  auto worker = spawn();
  prepare(*worker, "print(x.data_ptr(), x[0].item()); return x * 2");
  auto y = float_values({{9, 9, 9, 9}});
  int fds[] = {y.fd()};
  ASSERT_TRUE(worker->call({{"op", "inputs"}, {"name", "y"}}, fds, 60s).ok());
  auto answer = worker->call(
    {{"op", "time"}, {"sequence", boost::json::array{"x", "y", "x"}}, {"flush", 1 << 20}}, {}, 60s);
  ASSERT_TRUE(answer.ok()) << answer.problem().message;
  auto ns = answer.integers("ns").value();
  EXPECT_EQ(ns.size(), 3u);
  EXPECT_THAT(ns, ::testing::Each(::testing::Gt(0)));
  std::istringstream printed{worker->output_tail()};
  std::string first, second, third, value;
  printed >> first >> value >> second >> value;
  EXPECT_EQ(value, "9.0");
  printed >> third;
  EXPECT_EQ(first, second);
  EXPECT_EQ(first, third);
}

class locked_inputs : public foreign_code {
protected:
  // One tensor of four nines, locked.
  static gpu::shared_memory nines(const input_key& key) {
    auto content = text_of(float_values({{9, 9, 9, 9}}));
    auto* tensor = reinterpret_cast<unsigned char*>(content.data()) + 4096;
    toggle_lock(key.of_tensor(0), tensor, tensor, 4 * sizeof(float));
    return std::move(*gpu::shared_memory::holding(content));
  }

  void give_y(worker_process& worker, const std::string& key = "") const {
    int fds[] = {y_.fd()};
    auto kept = worker.call({{"op", "inputs"}, {"name", "y"}, {"key", key}}, fds, 60s);
    ASSERT_TRUE(kept.ok()) << kept.problem().message;
  }

  // What a block with y, between others, says of its inputs.
  std::optional<bool> changed(worker_process& worker, const std::optional<input_key>& key) const {
    boost::json::array sequence{"x", "y", "x", "y"};
    std::vector<call_guidance> calls{{}, {.key = key}, {}, {.key = key}};
    auto answer = worker.time({{"op", "time"}, {"sequence", sequence}}, calls, 60s);
    EXPECT_TRUE(answer.ok()) << answer.problem().message;
    return answer.flag("inputs_changed");
  }

  input_key key_ = input_key::random();
  gpu::shared_memory y_ = nines(key_);
};

TEST_F(locked_inputs, are_open_in_the_calls_that_get_them) {
  auto worker = spawn();
  prepare(*worker, "print(x.tolist()); return x * 2");
  give_y(*worker);
  EXPECT_EQ(changed(*worker, key_), false);
  std::string each = "[1.0, 2.0, 3.0, 4.0]\n[9.0, 9.0, 9.0, 9.0]\n";
  EXPECT_EQ(worker->output_tail(), each + each);
  EXPECT_EQ(changed(*worker, key_), false) << "and are locked again";
}

TEST_F(locked_inputs, stay_locked_without_their_key) {
  auto worker = spawn();
  prepare(*worker, "print((x == 9).any().item()); return x * 2");
  give_y(*worker);
  EXPECT_EQ(changed(*worker, std::nullopt), false);
  EXPECT_EQ(changed(*worker, input_key::random()), false);
  EXPECT_THAT(worker->output_tail(), Not(HasSubstr("True")));
}

TEST_F(locked_inputs, are_compared_with_what_a_call_left) {
  auto worker = spawn();
  prepare(*worker, "x[3] = 9; return x * 2");
  give_y(*worker);
  EXPECT_EQ(changed(*worker, key_), true);
  auto other = spawn();
  prepare(*other, "x[3] = x[3] + (x[0] == 9); return x * 2");
  give_y(*other);
  EXPECT_EQ(changed(*other, key_), true) << "y alone";
}

TEST_F(locked_inputs, that_come_with_their_key_are_opened_at_once) {
  auto worker = spawn();
  prepare(*worker, "print(x.tolist()); return x * 2");
  give_y(*worker, key_.text());
  changed(*worker, std::nullopt);
  EXPECT_THAT(worker->output_tail(), HasSubstr("[9.0, 9.0, 9.0, 9.0]"));
}

// Of all sorts: conjugated, empty, transposed, no tensor at all.
TEST_F(locked_inputs, are_drawn_so_and_are_the_same_when_they_are_opened) {
  auto drawing = [](worker_process& worker) {
    auto loaded =
      load(worker, "import torch\n"
                   "def get_inputs():\n"
                   "  return [torch.rand(5, dtype=torch.complex64).conj(), 3,\n"
                   "          torch.rand(0), torch.rand(40, 3).T, torch.rand(9) > 0.5]\n"
                   "class ModelNew(torch.nn.Module):\n"
                   "  def forward(self, *x):\n"
                   "    return list(x)\n");
    ASSERT_TRUE(loaded.ok()) << loaded.problem().message;
    auto nothing = float_values({});
    int fds[] = {nothing.fd()};
    ASSERT_TRUE(worker.call({{"op", "construct"}, {"seed", 1}}, fds, 60s).ok());
  };
  auto first = spawn();
  auto second = spawn();
  drawing(*first);
  drawing(*second);
  auto open = ask_for(*first, {{"op", "draw"}, {"seed", 7}});
  auto locked = ask_for(*first, {{"op", "draw"}, {"seed", 7}, {"name", "d"}, {"key", key_.text()}});
  EXPECT_EQ(text_of(open).size(), text_of(locked).size());
  EXPECT_NE(text_of(open), text_of(locked));
  auto as_drawn = text_of(ask_for(*first, {{"op", "run"}, {"inputs", "d"}}));
  int fds[] = {locked.fd()};
  boost::json::object request{{"op", "inputs"}, {"name", "l"}, {"key", key_.text()}};
  ASSERT_TRUE(second->call(request, fds, 60s).ok());
  EXPECT_EQ(text_of(ask_for(*second, {{"op", "run"}, {"inputs", "l"}})), as_drawn);
  int open_fds[] = {open.fd()};
  ASSERT_TRUE(second->call({{"op", "inputs"}, {"name", "o"}}, open_fds, 60s).ok());
  EXPECT_EQ(text_of(ask_for(*second, {{"op", "run"}, {"inputs", "o"}})), as_drawn);
}

TEST_F(foreign_code, a_profile_names_operators_and_imports_nothing_of_torch_for_it) {
  auto worker = spawn();
  prepare(*worker, "print(sum(m.startswith('torch') for m in sys.modules)); return x.softmax(0)");
  ASSERT_TRUE(run(*worker).ok());
  auto profile = ask_for(*worker, {{"op", "profile"}, {"inputs", "x"}});
  EXPECT_THAT(text_of(profile), HasSubstr(R"("name": "aten::_softmax 4", "ns": )"));
  std::istringstream printed{worker->output_tail()};
  int before = 0;
  int during = 0;
  printed >> before >> during;
  EXPECT_GT(before, 0);
  EXPECT_EQ(before, during);
}

TEST_F(foreign_code, one_output_of_a_block_is_kept_whichever_the_lot_falls_on) {
  auto worker = spawn();
  prepare(*worker, "return x * 2");
  boost::json::array sequence(4, "x");
  std::set<std::int64_t> kept;
  for (int block = 0; block < 64; ++block) {
    auto answer = worker->call({{"op", "time"}, {"sequence", sequence}}, {}, 60s);
    ASSERT_TRUE(answer.ok()) << answer.problem().message;
    kept.insert(answer.integer("kept").value());
  }
  EXPECT_THAT(kept, ::testing::ElementsAre(0, 1, 2, 3));
  ASSERT_TRUE(worker->call({{"op", "keep"}, {"slot", 0}}, {}, 60s).ok());
  auto output = gpu::shared_memory::make(64 * 1024);
  int outputs[] = {output->fd()};
  ASSERT_TRUE(worker->call({{"op", "fetch"}, {"slot", 0}}, outputs, 60s).ok());
  EXPECT_EQ(text_of(*output).substr(0, 4), "LVAL");
}

TEST_F(foreign_code, what_was_kept_is_handed_over_as_the_call_left_it) {
  auto worker = spawn();
  prepare(*worker, "return {'a': [x * 2, x > 2, None], 'b': (x[:0], 3, x[1], x.expand(3, 4).T)}");
  auto answered = text_of(ask_for(*worker, {{"op", "run"}, {"inputs", "x"}}));
  boost::json::array sequence(5, "x");
  for (int slot : {0, 1, 0, 2}) {
    ASSERT_TRUE(worker->call({{"op", "time"}, {"sequence", sequence}}, {}, 60s).ok());
    ASSERT_TRUE(worker->call({{"op", "keep"}, {"slot", slot}}, {}, 60s).ok());
  }
  for (int slot : {2, 0, 1}) {
    auto output = gpu::shared_memory::make(answered.size());
    int fds[] = {output->fd()};
    auto handed = worker->call({{"op", "fetch"}, {"slot", slot}}, fds, 60s);
    ASSERT_TRUE(handed.ok()) << handed.problem().message;
    EXPECT_EQ(text_of(*output), answered);
  }
}

TEST_F(foreign_code, the_output_that_has_to_be_kept_is) {
  auto worker = spawn();
  prepare(*worker, "return x * 2");
  boost::json::array sequence(6, "x");
  for (std::int64_t kept : {0, 3, 5, 2}) {
    std::vector<call_guidance> calls(6);
    calls[static_cast<std::size_t>(kept)].output = output_use::kept;
    calls[static_cast<std::size_t>(kept == 5 ? 0 : 5)].output = output_use::copied;
    auto answer = worker->time({{"op", "time"}, {"sequence", sequence}}, calls, 60s);
    ASSERT_TRUE(answer.ok()) << answer.problem().message;
    EXPECT_EQ(answer.integer("kept"), kept);
    EXPECT_EQ(answer.questions.size(), 6U);
    EXPECT_TRUE(std::ranges::is_sorted(answer.questions));
    EXPECT_LT(answer.questions.back(), answer.wall);
  }
}

TEST_F(foreign_code, a_block_with_more_calls_than_were_guided_is_no_answer) {
  auto worker = spawn();
  prepare(*worker, "return x * 2");
  std::vector<call_guidance> calls(2);
  auto answer =
    worker->time({{"op", "time"}, {"sequence", boost::json::array(3, "x")}}, calls, 60s);
  EXPECT_FALSE(answer.ok());
}

TEST_F(foreign_code, who_is_warned_has_not_tampered_with_anything) {
  auto worker = spawn();
  prepare(*worker, "import warnings; warnings.warn('mind the gap', stacklevel=2); return x * 2");
  auto answer = run(*worker);
  EXPECT_TRUE(answer.ok()) << answer.problem().message;
}

TEST_F(foreign_code, a_broken_rule_is_named) {
  auto worker = spawn();
  prepare(*worker, "torch.set_num_threads(7); return x");
  auto answer = run(*worker);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::refused);
  EXPECT_EQ(answer.problem().rule, "global-state");
  EXPECT_EQ(answer.problem().message, "it changed torch.get_num_threads() from 1 to 7");
}

TEST_F(foreign_code, recipes_answer_with_a_book_of_drafts) {
  auto worker = spawn();
  auto task = gpu::shared_memory::holding("import torch\n"
                                          "class Model(torch.nn.Module):\n"
                                          "  def forward(self, x): return x + 1\n"
                                          "def get_inputs(): return [torch.ones(3)]\n"
                                          "def get_init_inputs(): return []\n");
  auto passes = gpu::shared_memory::holding(
    R"({"plain": "PRECISION = 'fp32'\ndef applies(m, i, mode): return ''\ndef rewrite(m): return m"})");
  int fds[] = {task->fd(), passes->fd()};
  auto answer = worker->call({{"op", "recipes"},
                              {"passes", boost::json::array{"plain", "unknown"}},
                              {"mode", "eval"},
                              {"tolerance", "fp32"},
                              {"drafts", 10},
                              {"tried", boost::json::object{}},
                              {"around", ""}},
                             fds, 60s);
  ASSERT_TRUE(answer.ok()) << answer.problem().message;
  ASSERT_EQ(answer.fds.size(), 1u);
  auto book = text_of(*gpu::shared_memory::adopt(std::move(answer.fds[0]), 1 << 20));
  EXPECT_THAT(book, HasSubstr(R"({"drafts": [{"label": "plain")"));
  EXPECT_THAT(book, HasSubstr("unknown: there is no such pass"));
}

TEST_F(foreign_code, a_request_that_makes_no_sense_is_answered) {
  auto worker = spawn();
  EXPECT_THAT(worker->call({{"op", "dance"}}, {}, 60s).problem().message, HasSubstr("'dance'"));
  EXPECT_THAT(run(*worker).problem().message, HasSubstr("nothing was constructed"));
}

} // namespace lathe::gpu::testing
