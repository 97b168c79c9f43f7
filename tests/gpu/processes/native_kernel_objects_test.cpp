#include "gpu/processes/native_kernel_objects.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

using namespace lathe::native;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

// What makes this very test an object with device code, and a kernel that it registers.
[[gnu::section(".nv_fatbin"), gnu::used]] const char device_code[] = "fatbin";
[[gnu::used]] const char registered[] = "_Z17kernel_of_a_testPf";
[[gnu::used]] const char attention[] = "_ZN13pytorch_flash9of_a_testEPf";

const std::string absent = std::string{"_Z19kernel_of_a_"} + "strangerPf";

std::string this_test() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

// A copy of this test where an environment would keep torch's libraries.
class environment {
public:
  environment() {
    auto folder = root_ / "lib/python3.11/site-packages/torch/lib";
    std::filesystem::create_directories(folder);
    torch_ = folder / "libtorch_cuda.so";
    std::filesystem::copy_file(this_test(), torch_);
  }

  ~environment() {
    std::filesystem::remove_all(root_);
  }

  std::string torch() const {
    return torch_.string();
  }

  std::string root() const {
    return root_.string();
  }

private:
  std::filesystem::path root_ = std::filesystem::path{testing::TempDir()} / "kernel_objects";
  std::filesystem::path torch_;
};

} // namespace

TEST(find_strings, finds_whole_strings_alone) {
  kernel_names found;
  constexpr std::string_view data{"_Z1a\0x_Z1b\0_Z1c\0_Z1cd\0\0_Z1e\0_Z1f", 32};
  find_strings(data, {"_Z1a", "_Z1b", "_Z1c", "_Z1d", "_Z1e", "_Z1f"}, found);
  EXPECT_THAT(found, ElementsAre("_Z1a", "_Z1c", "_Z1e"));
  find_strings({}, {"_Z1a"}, found);
}

TEST(registered_kernels, are_those_of_an_object_with_device_code) {
  EXPECT_THAT(registered_kernels(this_test(), {registered, absent}), ElementsAre(registered));
  EXPECT_THAT(registered_kernels("/lib/x86_64-linux-gnu/libc.so.6", {registered}), IsEmpty());
}

TEST(registered_kernels, there_are_none_in_what_is_no_object) {
  auto path = testing::TempDir() + "kernel_objects_test.txt";
  for (auto* text : {"",
                     "\x7f"
                     "ELF",
                     "not an object, but long enough to have an ELF file's header"
                     " and a few more bytes than that"}) {
    std::ofstream{path, std::ios::trunc} << text;
    EXPECT_THAT(registered_kernels(path, {registered}), IsEmpty());
  }
  std::filesystem::remove(path);
  EXPECT_THAT(registered_kernels(path, {registered}), IsEmpty());
}

TEST(loaded_objects, have_the_c_library_among_them) {
  EXPECT_THAT(loaded_objects(), Contains(testing::HasSubstr("libc.so")));
}

TEST(installed_folders, are_the_systems_and_that_of_torchs_python) {
  EXPECT_THAT(installed_folders({"/home/a/env/lib/python3.11/site-packages/torch/lib/libtorch.so"}),
              Contains("/home/a/env/"));
  EXPECT_THAT(installed_folders({"/opt/pytorch/torch/lib/libtorch.so"}),
              Contains("/opt/pytorch/"));
  EXPECT_THAT(installed_folders({"/tmp/ext/gate.so"}), Contains("/usr/"));
}

TEST(authors_of, an_extension_has_its_own_kernels_whatever_they_are_called) {
  auto found = authors_of({registered, attention}, {this_test()}, {"/usr/"});
  EXPECT_EQ(found[registered], kernel_author::own);
  EXPECT_EQ(found[attention], kernel_author::own) << "CUTLASS may be compiled into an extension";
}

TEST(authors_of, what_torch_has_is_torchs_or_a_librarys_that_it_ships) {
  environment env;
  auto installed = installed_folders({env.torch()});
  for (auto& objects : {std::vector{env.torch()}, std::vector{this_test(), env.torch()}}) {
    auto found = authors_of({registered, attention}, objects, installed);
    EXPECT_EQ(found[registered], kernel_author::framework) << "also if an extension has it, too";
    EXPECT_EQ(found[attention], kernel_author::library);
  }
}

TEST(authors_of, what_another_installed_object_has_is_a_librarys) {
  auto folder = std::filesystem::path{this_test()}.parent_path().string();
  auto found = authors_of({registered}, {this_test()}, {folder});
  EXPECT_EQ(found[registered], kernel_author::library);
}

TEST(authors_of, names_decide_about_kernels_that_no_object_has) {
  auto found = authors_of({"triton_poi_fused_add_0", "nvjet_sm90_tst", absent}, {this_test()}, {});
  EXPECT_EQ(found["triton_poi_fused_add_0"], kernel_author::own);
  EXPECT_EQ(found["nvjet_sm90_tst"], kernel_author::library);
  EXPECT_EQ(found[absent], kernel_author::own);
}

TEST(authors_of, a_word_that_stands_in_a_library_is_no_evidence) {
  environment env;
  auto found = authors_of({"softmax", "fatbin"}, {env.torch()}, {env.root()});
  EXPECT_EQ(found["softmax"], kernel_author::own);
  EXPECT_EQ(found["fatbin"], kernel_author::own);
}
