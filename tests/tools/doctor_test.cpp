#include "tools/lathe/doctor/doctor.hpp"

#include "tools/lathe/doctor/evaluation_check.hpp"
#include "tools/lathe/doctor/program.hpp"
#include "tools/lathe/doctor/python_check.hpp"
#include "tools/lathe/doctor/report.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gmock/gmock.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace fs = std::filesystem;

using namespace lathe::doctor;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

namespace {

// A folder of its own for every test.
class doctor : public testing::Test {
protected:
  doctor() {
    auto pattern = testing::TempDir() + "doctor-XXXXXX";
    folder = ::mkdtemp(pattern.data());
  }

  ~doctor() override {
    fs::remove_all(folder);
  }

  fs::path script(const std::string& name, const std::string& text) {
    auto path = folder / name;
    std::ofstream{path} << "#!/bin/sh\n" << text << '\n';
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }

  fs::path file(const fs::path& name) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream{folder / name} << "x";
    return folder / name;
  }

  fs::path folder;
};

python_facts usable_python() {
  python_facts result;
  result.version = "3.12.3";
  result.torch = "2.11.0";
  return result;
}

} // namespace

// -- running other programs -----------------------------------------------------------------

TEST_F(doctor, collects_what_a_program_writes_to_both_streams) {
  auto run = run_program({script("both", "echo one; echo two >&2; exit 3")}, 10s);
  EXPECT_EQ(run.output, "one\ntwo\n");
  EXPECT_EQ(run.status, 3);
  EXPECT_EQ(describe_failure(run), "failed with exit code 3: two");
}

TEST_F(doctor, keeps_only_the_beginning_of_much_output) {
  auto run = run_program({script("much", "head -c 300000 /dev/zero | tr '\\0' x")}, 10s);
  EXPECT_TRUE(run.ok());
  EXPECT_EQ(run.output.size(), 64u << 10);
}

TEST_F(doctor, gives_up_on_a_program_that_does_not_end) {
  auto run = run_program({script("hang", "echo begun; sleep 1000")}, 300ms);
  EXPECT_EQ(run.end, program_run::ending::too_slow);
  EXPECT_LT(run.seconds, 30);
}

TEST_F(doctor, does_not_wait_for_a_child_that_keeps_the_output_open) {
  auto run = run_program({script("parent", "sleep 1000 & echo done")}, 60s);
  EXPECT_TRUE(run.ok());
  EXPECT_EQ(run.output, "done\n");
}

TEST_F(doctor, names_the_signal_that_ended_a_program) {
  auto run = run_program({script("killed", "kill -SEGV $$")}, 10s);
  EXPECT_THAT(describe_failure(run), StartsWith("was killed by signal 11"));
}

TEST_F(doctor, finds_only_files_that_can_be_run) {
  file("first/tool");
  fs::create_directories(folder / "second");
  auto wanted = script("second/tool", "exit 0");
  EXPECT_EQ(find_program("tool", std::array{folder / "first", folder / "second"}), wanted);
  EXPECT_FALSE(find_program("tool", std::array{folder / "first"}));
  EXPECT_THAT(split_path("/bin::/usr/bin:"), ElementsAre("/bin", "/usr/bin"));
}

// -- Python and torch -----------------------------------------------------------------------

TEST_F(doctor, reads_the_python_probe_between_other_output) {
  auto facts = parse_python_facts("a warning\nlathe-doctor python 3.11.2\n"
                                  "lathe-doctor suffix .cpython-311-x86_64-linux-gnu.so\n"
                                  "lathe-doctor headers True\nlathe-doctor import 1.25\n"
                                  "lathe-doctor site /venv/with space\nlathe-doctor cuda 13.0\n"
                                  "lathe-doctor usable False\nlathe-doctor torch 2.11.0+cu130");
  EXPECT_EQ(facts.version, "3.11.2");
  EXPECT_EQ(facts.extension_suffix, ".cpython-311-x86_64-linux-gnu.so");
  EXPECT_TRUE(facts.headers);
  EXPECT_EQ(facts.site, "/venv/with space");
  EXPECT_EQ(facts.cuda, "13.0");
  EXPECT_FALSE(facts.cuda_usable);
  EXPECT_EQ(facts.torch, "2.11.0+cu130");
  EXPECT_DOUBLE_EQ(facts.import_seconds, 1.25);
}

TEST_F(doctor, says_that_python_is_not_there) {
  auto probe = probe_python(folder / "none", 10s);
  auto python = judge_python(probe);
  EXPECT_EQ(python.state, condition::missing);
  EXPECT_THAT(python.found, HasSubstr("No such file"));
  EXPECT_THAT(python.remedy, HasSubstr("tools/setup"));
  EXPECT_EQ(judge_torch(probe, false).state, condition::missing);
}

TEST_F(doctor, gives_up_on_a_python_that_hangs) {
  auto probe = probe_python(script("python", "exec sleep 1000"), 200ms);
  EXPECT_EQ(judge_python(probe).state, condition::missing);
  EXPECT_THAT(judge_python(probe).found, HasSubstr("gave no answer within"));
}

TEST_F(doctor, tells_a_python_without_torch_from_no_python) {
  auto probe =
    probe_python(script("python", "echo lathe-doctor python 3.11.2\n"
                                  "echo \"ModuleNotFoundError: No module named 'torch'\"\n"
                                  "exit 1"),
                 10s);
  EXPECT_EQ(judge_python(probe).state, condition::ok);
  auto torch = judge_torch(probe, false);
  EXPECT_EQ(torch.state, condition::missing);
  EXPECT_THAT(torch.found, HasSubstr("No module named 'torch'"));
}

TEST_F(doctor, warns_of_a_cpu_build_of_torch_beside_a_gpu) {
  python_probe probe{"/python", {}, usable_python()};
  EXPECT_EQ(judge_torch(probe, false).state, condition::ok);
  EXPECT_EQ(judge_torch(probe, true).state, condition::warning);
}

// -- evaluation processes -------------------------------------------------------------------

TEST_F(doctor, misses_a_native_module_built_for_another_python) {
  file("zygote.py");
  file("worker.py");
  file("lathe_native.cpython-311.so");
  EXPECT_THAT(missing_process_files(folder, ".cpython-311.so"), IsEmpty());
  EXPECT_THAT(missing_process_files(folder, ".cpython-312.so"),
              ElementsAre("lathe_native.cpython-312.so"));
}

TEST_F(doctor, shows_why_the_warm_process_does_not_start) {
  file("worker.py");
  file("lathe_native.so");
  std::ofstream{folder / "zygote.py"} << "raise SystemExit('broken on purpose')\n";
  python_probe python{LATHE_TEST_PYTHON, {}, usable_python()};
  python.facts.extension_suffix = ".so";
  auto findings = check_evaluation(python, folder, 30s);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].state, condition::missing);
  EXPECT_THAT(findings[0].found, HasSubstr("broken on purpose"));
  EXPECT_EQ(findings[1].name, "sandbox");
  EXPECT_EQ(findings[1].state, condition::warning);
}

TEST_F(doctor, shows_why_the_verifier_does_not_start) {
  auto broken = script("verifier", "echo 'libtorch.so: cannot open shared object file'; exit 127");
  auto x = check_verifier(broken, 10s);
  EXPECT_EQ(x.state, condition::missing);
  EXPECT_THAT(x.found, HasSubstr("libtorch.so: cannot open shared object file"));
  EXPECT_EQ(check_verifier(script("good", "exit 0"), 10s).state, condition::ok);
}

// -- report ---------------------------------------------------------------------------------

TEST_F(doctor, aligns_its_rows_and_puts_the_remedy_below) {
  auto a = format_row(ok("gpu", "fine"), false);
  auto b = format_row(missing("evaluation processes", "not there", "build"), false);
  EXPECT_EQ(a.find("fine"), b.find("not there"));
  EXPECT_THAT(b, HasSubstr("\n                                    -> build\n"));
  EXPECT_THAT(a, Not(HasSubstr("\033")));
}

TEST_F(doctor, says_the_state_in_words_with_and_without_colour) {
  auto x = format_row(warning("disk", "full", "empty it"), true);
  EXPECT_THAT(x, HasSubstr("\033[33mwarning"));
  EXPECT_THAT(format_row(not_needed("gpu", "none"), false), HasSubstr("not needed"));
}

TEST_F(doctor, sums_up_what_is_missing) {
  std::vector<finding> findings{ok("a", ""), warning("b", "", "")};
  EXPECT_TRUE(ready(findings));
  EXPECT_EQ(format_summary(findings), "everything that Lathe needs is there; 1 warning\n");
  findings.push_back(missing("c", "", ""));
  EXPECT_FALSE(ready(findings));
  EXPECT_EQ(format_summary(findings), "Lathe cannot work yet; missing: c; 1 warning\n");
}

TEST_F(doctor, writes_json_with_stable_keys) {
  auto document =
    boost::json::parse(format_json(std::vector{missing("python", "no \"x\"\n", "y")}));
  EXPECT_FALSE(document.at("ready").as_bool());
  auto& row = document.at("findings").at(0);
  EXPECT_EQ(row.at("name").as_string(), "python");
  EXPECT_EQ(row.at("state").as_string(), "missing");
  EXPECT_EQ(row.at("found").as_string(), "no \"x\"\n");
  EXPECT_EQ(row.at("remedy").as_string(), "y");
}

// -- the whole ------------------------------------------------------------------------------

TEST_F(doctor, examines_everything_even_where_nothing_is_installed) {
  std::ostringstream out;
  auto code = run_doctor({folder / "python", folder, folder / "verifier", folder / "cache"},
                         report_format::text, out);
  EXPECT_EQ(code, 3);
  EXPECT_THAT(out.str(), HasSubstr("missing: python, torch, evaluation processes, verifier"));
  EXPECT_THAT(out.str(), HasSubstr("\n  api keys"));
}

TEST_F(doctor, starts_real_evaluation_processes) {
  std::ostringstream out;
  auto code =
    run_doctor({LATHE_TEST_PYTHON, LATHE_TEST_PROCESSES, script("verifier", "exit 0"), folder},
               report_format::json, out);
  EXPECT_EQ(code, 0) << out.str();
  EXPECT_THAT(out.str(), HasSubstr("the warm process starts in"));
  auto document = boost::json::parse(out.str());
  for (auto& row : document.at("findings").as_array())
    EXPECT_TRUE(row.at("state").as_string() != "warning" || !row.at("remedy").as_string().empty())
      << row;
}
