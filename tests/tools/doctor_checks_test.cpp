#include "tools/lathe/doctor/capacity_check.hpp"
#include "tools/lathe/doctor/compiler_check.hpp"
#include "tools/lathe/doctor/gpu_check.hpp"
#include "tools/lathe/doctor/key_check.hpp"
#include "tools/lathe/doctor/noise_check.hpp"
#include "tools/lathe/doctor/peaks_check.hpp"
#include "tools/lathe/doctor/sandbox_check.hpp"
#include "tools/lathe/doctor/text.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

// What the checks make of what they find: no other program runs here.

namespace fs = std::filesystem;

using namespace lathe::doctor;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

namespace {

// A folder of its own for every test.
class doctor_checks : public testing::Test {
protected:
  doctor_checks() {
    auto pattern = testing::TempDir() + "doctor-XXXXXX";
    folder = ::mkdtemp(pattern.data());
  }

  ~doctor_checks() override {
    fs::remove_all(folder);
  }

  fs::path file(const fs::path& name) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream{folder / name} << "x";
    return folder / name;
  }

  fs::path folder;
};

const auto gxx = tool{"/usr/bin/g++", "12.2.0", true};
const auto ninja = tool{"/usr/bin/ninja", "1.11.1", true};
const auto nvcc = tool{"/usr/local/cuda/bin/nvcc", "13.0", true};
const auto nothing = tool{{}, {}, false};

const auto h200 = gpu_card{"NVIDIA H200", "580.159.04", 143771ull << 20};

python_facts facts_with_cuda(const std::string& cuda, bool usable) {
  python_facts result;
  result.version = "3.12.3";
  result.torch = "2.11.0";
  result.cuda = cuda;
  result.cuda_usable = usable;
  return result;
}

} // namespace

// -- texts ----------------------------------------------------------------------------------

TEST_F(doctor_checks, finds_versions_in_what_compilers_print) {
  EXPECT_EQ(version_in("g++ (Debian 12.2.0-14+deb12u1) 12.2.0"), "12.2.0");
  EXPECT_EQ(version_in("nvcc: NVIDIA (R) Cuda compiler driver\nCopyright (c) 2005-2025\n"
                       "Cuda compilation tools, release 13.0, V13.0.88"),
            "13.0");
  EXPECT_EQ(version_in("1.11.1\n"), "1.11.1");
  EXPECT_EQ(version_in("no 1 version"), "");
  EXPECT_EQ(major_of("13.0"), 13);
  EXPECT_EQ(major_of(""), 0);
}

TEST_F(doctor_checks, keeps_control_characters_off_the_terminal) {
  EXPECT_EQ(last_line("first\nImportError: \033[31mno\xff\n\n"), "ImportError: ?[31mno?");
}

TEST_F(doctor_checks, writes_sizes_with_units) {
  EXPECT_EQ(format_bytes(843ull << 20), "843 MiB");
  EXPECT_EQ(format_bytes(4300ull << 20), "4.2 GiB");
  EXPECT_EQ(format_bytes(57ull << 30), "57 GiB");
}

// -- sandbox --------------------------------------------------------------------------------

TEST_F(doctor_checks, reads_capabilities_and_filters) {
  auto root =
    parse_status("Name:\tlathe\nCapEff:\t000001fffeffffff\nSeccomp:\t0\nSeccomp_filters:\t0");
  EXPECT_TRUE(root.sys_admin);
  EXPECT_FALSE(root.filtered);
  auto docker = parse_status("CapEff:\t00000000a80425fb\nSeccomp:\t2\n");
  EXPECT_FALSE(docker.sys_admin);
  EXPECT_TRUE(docker.filtered);
  EXPECT_FALSE(parse_status("CapEff:\nSeccomp:").sys_admin);
}

TEST_F(doctor_checks, names_the_rule_that_forbids_a_sandbox) {
  const std::vector<std::string> all = {"user", "pid", "mount", "net",
                                        "ipc",  "uts", "root",  "proc"};
  sandbox_rules rules;
  EXPECT_THAT(judge_sandbox(all, rules).remedy, HasSubstr("kernel"));
  rules.filtered = true;
  EXPECT_THAT(judge_sandbox(all, rules).remedy, HasSubstr("seccomp filter"));
  rules.container = true;
  EXPECT_THAT(judge_sandbox(all, rules).remedy, HasSubstr("--security-opt seccomp=unconfined"));
  rules.apparmor_restrict_unprivileged_userns = 1;
  EXPECT_THAT(judge_sandbox(all, rules).remedy,
              HasSubstr("kernel.apparmor_restrict_unprivileged_userns=0"));
  rules.unprivileged_userns_clone = 0;
  EXPECT_THAT(judge_sandbox(all, rules).remedy, HasSubstr("kernel.unprivileged_userns_clone=1"));
  rules.max_user_namespaces = 0;
  EXPECT_THAT(judge_sandbox(all, rules).remedy, HasSubstr("user.max_user_namespaces"));
}

TEST_F(doctor_checks, says_what_a_candidate_can_do_without_a_part_of_the_sandbox) {
  EXPECT_EQ(judge_sandbox({}, {}).state, condition::ok);
  auto x = judge_sandbox(std::vector<std::string>{"proc", "seccomp"}, {});
  EXPECT_EQ(x.state, condition::warning);
  EXPECT_THAT(x.found, HasSubstr("seccomp (candidates may make any system call)"));
  EXPECT_THAT(x.remedy, HasSubstr("/proc"));
}

TEST_F(doctor_checks, says_how_to_have_control_groups_with_limits) {
  const std::vector<std::string> lacks = {"cgroup"};
  sandbox_rules rules;
  EXPECT_THAT(judge_sandbox(lacks, rules).found, HasSubstr("not together"));
  EXPECT_THAT(judge_sandbox(lacks, rules).remedy, HasSubstr("unified_cgroup_hierarchy"));
  rules.unified = true;
  EXPECT_THAT(judge_sandbox(lacks, rules).remedy, HasSubstr("systemd-run --user --scope"));
  rules.root = true;
  EXPECT_THAT(judge_sandbox(lacks, rules).remedy, HasSubstr("systemd-run --scope"));
  rules.container = true;
  EXPECT_THAT(judge_sandbox(lacks, rules).remedy, HasSubstr("--privileged"));
  EXPECT_THAT(judge_sandbox(std::vector<std::string>{"cgroup", "seccomp"}, rules).remedy,
              HasSubstr("SECCOMP"));
}

// -- compilers and GPUs ---------------------------------------------------------------------

TEST_F(doctor_checks, warns_of_what_compiling_candidates_will_miss) {
  EXPECT_EQ(judge_compiler(gxx, ninja, true).state, condition::ok);
  EXPECT_THAT(judge_compiler(gxx, nothing, true).found, HasSubstr("inline C++"));
  EXPECT_THAT(judge_compiler(nothing, ninja, true).found, HasSubstr("torch.compile"));
  EXPECT_EQ(judge_compiler(gxx, ninja, false).state, condition::warning);
  auto elsewhere = tool{"/opt/gcc/bin/g++", "13.2.0", false};
  EXPECT_THAT(judge_compiler(elsewhere, ninja, true).found,
              HasSubstr("/opt/gcc/bin/g++, where candidates do not look"));
}

TEST_F(doctor_checks, wants_a_cuda_toolkit_that_fits_torch_where_there_is_a_gpu) {
  EXPECT_EQ(judge_cuda_toolkit(nothing, false, "").state, condition::not_needed);
  EXPECT_EQ(judge_cuda_toolkit(nvcc, true, "13.0").state, condition::ok);
  EXPECT_EQ(judge_cuda_toolkit(nothing, true, "13.0").state, condition::warning);
  EXPECT_THAT(judge_cuda_toolkit(nvcc, true, "12.8").found, HasSubstr("built for CUDA 12.8"));
}

TEST_F(doctor_checks, reads_the_list_of_cards) {
  auto cards = parse_cards("NVIDIA H200, 580.159.04, 143771\nCard, with comma, 535.1, [N/A]\n"
                           "No devices were found\n");
  ASSERT_EQ(cards.size(), 2u);
  EXPECT_EQ(cards[0].name, "NVIDIA H200");
  EXPECT_EQ(cards[0].driver, "580.159.04");
  EXPECT_EQ(cards[0].memory, 143771ull << 20);
  EXPECT_EQ(cards[1].name, "Card, with comma");
  EXPECT_EQ(cards[1].memory, 0u);
}

TEST_F(doctor_checks, reads_the_version_of_closed_and_open_drivers) {
  EXPECT_EQ(
    parse_driver_version("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May"
                         " 12 19:39:15 UTC 2024\nGCC version:  gcc version 12.2.0"),
    "535.183.01");
  EXPECT_EQ(
    parse_driver_version("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04"
                         "  Release Build\nGCC version:  gcc version 15.3.0 (GCC)"),
    "580.159.04");
  EXPECT_EQ(parse_driver_version(""), "");
}

TEST_F(doctor_checks, explains_a_gpu_that_torch_cannot_use) {
  EXPECT_EQ(judge_gpu({}, {}).state, condition::not_needed);
  gpu_facts two{{h200, h200}, h200.driver, ""};
  EXPECT_THAT(judge_gpu(two, facts_with_cuda("13.0", true)).found,
              StartsWith("2 GPUs, each NVIDIA H200, 140 GiB"));
  EXPECT_EQ(judge_gpu(two, facts_with_cuda("13.0", true)).state, condition::ok);
  EXPECT_EQ(judge_gpu(two, facts_with_cuda("13.0", false)).state, condition::warning);
  gpu_facts old{{{"Tesla T4", "535.183.01", 16ull << 30}}, "535.183.01", ""};
  EXPECT_THAT(judge_gpu(old, facts_with_cuda("13.0", false)).remedy, HasSubstr("driver 580"));
  EXPECT_THAT(judge_gpu(old, facts_with_cuda("12.4", false)).remedy, Not(HasSubstr("driver")));
}

TEST_F(doctor_checks, tells_a_loaded_driver_without_cards) {
  gpu_facts hidden{{}, "580.159.04", "there is no nvidia-smi"};
  auto x = judge_gpu(hidden, facts_with_cuda("13.0", false));
  EXPECT_EQ(x.state, condition::warning);
  EXPECT_THAT(x.found, HasSubstr("there is no nvidia-smi"));
}

TEST_F(doctor_checks, finds_cupti_in_torchs_packages_before_the_toolkit) {
  EXPECT_TRUE(find_cupti(folder / "site", folder / "cuda").empty());
  auto in_toolkit = file("cuda/extras/CUPTI/lib64/libcupti.so.13");
  EXPECT_EQ(find_cupti(folder / "site", folder / "cuda"), in_toolkit);
  auto in_site = file("site/nvidia/cu13/lib/libcupti.so.13");
  EXPECT_EQ(find_cupti(folder / "site", folder / "cuda"), in_site);
  EXPECT_EQ(judge_cupti({}, true).state, condition::warning);
  EXPECT_EQ(judge_cupti({}, false).state, condition::not_needed);
}

// -- host -----------------------------------------------------------------------------------

TEST_F(doctor_checks, counts_stolen_time) {
  auto times = parse_cpu_times("cpu  100 2 30 400 5 0 7 60 50 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
  EXPECT_EQ(times.total, 604u); // guest time is part of user time
  EXPECT_EQ(times.stolen, 60u);
  EXPECT_EQ(parse_cpu_times("").total, 0u);
}

TEST_F(doctor_checks, warns_of_a_host_that_is_not_quiet) {
  EXPECT_EQ(judge_noise({0.1, 0.0, 2}).state, condition::ok);
  EXPECT_THAT(judge_noise({1.8, 0.0, 2}).remedy, HasSubstr("other work"));
  EXPECT_THAT(judge_noise({0.1, 0.1, 2}).remedy, HasSubstr("virtual machines"));
  EXPECT_EQ(judge_clock("tsc").state, condition::ok);
  EXPECT_EQ(judge_clock("hpet").state, condition::warning);
  EXPECT_EQ(judge_frequency("").state, condition::ok);
  EXPECT_EQ(judge_frequency("performance").state, condition::ok);
  EXPECT_EQ(judge_frequency("powersave").state, condition::warning);
}

TEST_F(doctor_checks, reads_limits_of_control_groups) {
  EXPECT_EQ(parse_cpu_limit("250000 100000"), 2.5);
  EXPECT_FALSE(parse_cpu_limit("max 100000"));
  EXPECT_FALSE(parse_cpu_limit(""));
}

TEST_F(doctor_checks, counts_what_this_process_may_use_not_what_the_machine_has) {
  capacity x{16, 16, {}, 64'000'000'000, 60'000'000'000, {}};
  EXPECT_EQ(judge_cores(x).state, condition::ok);
  EXPECT_EQ(judge_memory(x).state, condition::ok);
  x.cpu_limit = 2.5;
  EXPECT_THAT(judge_cores(x).found, HasSubstr("limited to 2.5"));
  EXPECT_EQ(judge_cores(x).state, condition::warning);
  x.memory_limit = 2'000'000'000;
  EXPECT_EQ(judge_memory(x).state, condition::warning);
  x.cpu_limit.reset();
  x.allowed = 1;
  EXPECT_THAT(judge_cores(x).found, HasSubstr("1 of them"));
  EXPECT_EQ(judge_cores(x).state, condition::warning);
}

TEST_F(doctor_checks, measures_the_disk_of_a_folder_that_is_not_there_yet) {
  auto disk = measure_disk("runs", folder / "not" / "yet");
  EXPECT_EQ(disk.folder, folder);
  EXPECT_GT(disk.free, 0u);
  EXPECT_TRUE(disk.writable);
}

TEST_F(doctor_checks, warns_of_a_disk_that_is_nearly_full_or_read_only) {
  std::vector<disk_space> disks{{"runs", "/a", 50'000'000'000, true},
                                {"the cache", "/b", 50'000'000'000, true}};
  EXPECT_EQ(judge_disk(disks).state, condition::ok);
  disks[1].free = 4'000'000'000;
  EXPECT_THAT(judge_disk(disks).remedy, HasSubstr("space in /b"));
  disks[0].writable = false;
  EXPECT_THAT(judge_disk(disks).remedy, HasSubstr("make /a writable"));
}

TEST_F(doctor_checks, never_shows_a_key) {
  ::setenv("OPENAI_API_KEY", "sk-very-secret", 1);
  auto x = check_keys();
  ::unsetenv("OPENAI_API_KEY");
  EXPECT_EQ(x.state, condition::ok);
  EXPECT_THAT(x.found, HasSubstr("OPENAI_API_KEY set"));
  EXPECT_THAT(x.found + x.remedy, Not(HasSubstr("secret")));
  EXPECT_EQ(check_keys([](auto&) { return false; }).state, condition::not_needed);
}

// -- peaks --------------------------------------------------------------------------------

TEST_F(doctor_checks, peaks_that_a_run_has_measured_are_told_with_their_units) {
  auto found =
    judge_peaks(lathe::gpu::device_peaks{3.05e12, 3e12, 5e12, 54.1e12, 390e12, 720e12, 50e6, true});
  EXPECT_EQ(found.state, condition::ok);
  EXPECT_EQ(found.found, "copies 3.05 TB/s; products of matrices 54.1 TFLOP/s in float32, 390 "
                         "TFLOP/s in TF32, 720 TFLOP/s in half types");
}

TEST_F(doctor_checks, peaks_are_nothing_to_worry_about_before_the_first_run) {
  EXPECT_EQ(check_peaks(folder / "empty").state, condition::not_needed);
}
