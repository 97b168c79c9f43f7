#include "gpu/processes/shared_memory.hpp"

#include "messages/error.hpp"

#include <caf/init_global_meta_objects.hpp>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>

namespace lathe::gpu::testing {

class shared_memory : public ::testing::Test {
protected:
  void SetUp() override {
    caf::core::init_global_meta_objects();
  }
};

TEST_F(shared_memory, can_be_written_by_others_but_keeps_its_size) {
  auto file = gpu::shared_memory::make(100);
  ASSERT_TRUE(file);
  EXPECT_EQ(::pwrite(file->fd(), "abc", 3, 0), 3);
  EXPECT_NE(::ftruncate(file->fd(), 10), 0);
  EXPECT_NE(::ftruncate(file->fd(), 1000), 0);
  auto view = file->map();
  ASSERT_TRUE(view);
  EXPECT_EQ(view->bytes().size(), 100u);
  EXPECT_EQ(view->bytes()[1], std::byte{'b'});
}

TEST_F(shared_memory, that_holds_a_text_cannot_be_changed) {
  auto file = gpu::shared_memory::holding("import torch\n");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->size(), 13u);
  EXPECT_LT(::pwrite(file->fd(), "x", 1, 0), 0);
  EXPECT_EQ(::mmap(nullptr, 13, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd(), 0), MAP_FAILED);
}

TEST_F(shared_memory, that_is_empty_maps_to_nothing) {
  auto view = gpu::shared_memory::holding("")->map();
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->bytes().empty());
}

TEST_F(shared_memory, that_could_shrink_under_the_reader_is_refused) {
  unique_fd fd{::memfd_create("loose", MFD_ALLOW_SEALING)};
  ASSERT_EQ(::ftruncate(fd.get(), 100), 0);
  EXPECT_EQ(gpu::shared_memory::adopt(std::move(fd), 1000).error(), errc::evaluator_failed);
}

TEST_F(shared_memory, that_is_no_memory_file_is_refused) {
  unique_fd fd{::open("/dev/null", O_RDONLY)};
  EXPECT_FALSE(gpu::shared_memory::adopt(std::move(fd), 1000));
}

TEST_F(shared_memory, of_another_process_is_taken_up_to_a_limit) {
  auto copy_of = [](const gpu::shared_memory& file) { return unique_fd{::dup(file.fd())}; };
  auto file = gpu::shared_memory::make(100);
  EXPECT_EQ(gpu::shared_memory::adopt(copy_of(*file), 100)->size(), 100u);
  EXPECT_FALSE(gpu::shared_memory::adopt(copy_of(*file), 99));
}

} // namespace lathe::gpu::testing
