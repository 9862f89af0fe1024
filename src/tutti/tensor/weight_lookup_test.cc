#include "tutti/tensor/weight_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <deque>

#include "tutti/tensor/decode.h"

namespace tutti::tensor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A map that owns its bytes.
class Tensors {
 public:
  template <typename T>
  void Add(const std::string& name, DType dtype, std::initializer_list<int64_t> dims,
           const std::vector<T>& values) {
    TensorView view;
    view.dtype = dtype;
    for (const int64_t dim : dims) view.shape.dims[static_cast<size_t>(view.shape.rank++)] = dim;
    const auto* begin = reinterpret_cast<const std::byte*>(values.data());
    bytes_.emplace_back(begin, begin + values.size() * sizeof(T));
    const DTypeInfo& info = InfoOf(dtype);
    ASSERT_EQ(bytes_.back().size(),
              static_cast<size_t>(view.shape.elements() / info.block_size * info.block_bytes))
        << name;
    view.data = bytes_.back().data();
    view.size_bytes = bytes_.back().size();
    map_[name] = view;
  }
  // Bytes do not matter, only the shape does.
  void AddZeros(const std::string& name, DType dtype, std::initializer_list<int64_t> dims) {
    int64_t elements = 1;
    for (const int64_t dim : dims) elements *= dim;
    const DTypeInfo& info = InfoOf(dtype);
    Add(name, dtype, dims,
        std::vector<std::byte>(static_cast<size_t>(elements / info.block_size * info.block_bytes)));
  }
  void Remove(const std::string& name) { map_.erase(name); }
  const TensorMap& map() const { return map_; }

 private:
  std::deque<std::vector<std::byte>> bytes_;
  TensorMap map_;
};

std::vector<float> Row(const WeightView& w, int64_t row) {
  std::vector<float> out(static_cast<size_t>(w.cols));
  DecodeRow(w, row, out);
  return out;
}

WeightView MustFind(const Tensors& tensors, std::string_view name) {
  auto view = FindMatrix(tensors.map(), name);
  EXPECT_TRUE(view.ok()) << view.status().message();
  return view.ok() ? *view : WeightView();
}

std::string ErrorOf(const Result<WeightView>& result, StatusCode code) {
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), code) << result.status().message();
  return result.status().message();
}

TEST(WeightLookup, FindsPlainMatricesWithAndWithoutSuffix) {
  Tensors t;
  t.Add<float>("a.weight", DType::kF32, {2, 3}, {1, 2, 3, 4, 5, 6});
  t.Add<float>("b", DType::kF32, {1, 2}, {7, 8});
  for (const char* name : {"a", "a.weight"}) {
    const WeightView a = MustFind(t, name);
    EXPECT_EQ(a.rows, 2);
    EXPECT_THAT(Row(a, 1), ElementsAre(4, 5, 6));
  }
  EXPECT_THAT(Row(MustFind(t, "b.weight"), 0), ElementsAre(7, 8));
  EXPECT_TRUE(HasWeight(t.map(), "a"));
  EXPECT_FALSE(HasWeight(t.map(), "c"));
  EXPECT_THAT(ErrorOf(FindMatrix(t.map(), "c"), StatusCode::kNotFound), HasSubstr("no tensor c"));
}

TEST(WeightLookup, RefusesWhatIsNoMatrix) {
  Tensors t;
  t.AddZeros("three", DType::kF32, {2, 2, 2});
  t.AddZeros("one", DType::kF32, {2});
  t.AddZeros("empty", DType::kF32, {0, 2});
  t.AddZeros("ints", DType::kI32, {2, 2});
  t.AddZeros("e5m2", DType::kF8E5M2, {2, 2});
  t.AddZeros("blocks", DType::kQ8_0, {32, 16});
  EXPECT_THAT(ErrorOf(FindMatrix(t.map(), "three"), StatusCode::kData), HasSubstr("[2, 2, 2]"));
  EXPECT_THAT(ErrorOf(FindMatrix(t.map(), "one"), StatusCode::kData), HasSubstr("one F32 [2]"));
  EXPECT_THAT(ErrorOf(FindMatrix(t.map(), "empty"), StatusCode::kData), HasSubstr("empty"));
  EXPECT_THAT(ErrorOf(FindMatrix(t.map(), "ints"), StatusCode::kUnsupported), HasSubstr("I32"));
  EXPECT_THAT(ErrorOf(FindMatrix(t.map(), "e5m2"), StatusCode::kUnsupported), HasSubstr("F8_E5M2"));
  EXPECT_THAT(ErrorOf(FindMatrix(t.map(), "blocks"), StatusCode::kData), HasSubstr("of 32"));
}

// Value (r, c) is code 0x38 = 1.0, so that a decoded value is its scale.
class Fp8 : public ::testing::Test {
 protected:
  void Make(int64_t rows, int64_t cols, std::initializer_list<int64_t> scale_dims,
            const char* suffix = "_scale_inv") {
    tensors_ = Tensors();
    tensors_.Add("x.weight", DType::kF8E4M3, {rows, cols},
                 std::vector<uint8_t>(static_cast<size_t>(rows * cols), 0x38));
    int64_t n = 1;
    for (const int64_t dim : scale_dims) n *= dim;
    std::vector<float> scales;
    for (int64_t i = 0; i < n; ++i) scales.push_back(static_cast<float>(i + 1));
    tensors_.Add(std::string("x.weight") + suffix, DType::kF32, scale_dims, scales);
  }
  float At(int64_t r, int64_t c) { return Row(MustFind(tensors_, "x"), r)[static_cast<size_t>(c)]; }

  Tensors tensors_;
};

TEST_F(Fp8, BlocksOf128WithPartialEdges) {
  Make(300, 200, {3, 2});
  const WeightView view = MustFind(tensors_, "x");
  EXPECT_EQ(view.scale_block_rows, 128);
  EXPECT_EQ(view.scale_block_cols, 128);
  EXPECT_EQ(At(0, 0), 1);
  EXPECT_EQ(At(127, 127), 1);
  EXPECT_EQ(At(0, 128), 2);
  EXPECT_EQ(At(128, 0), 3);
  EXPECT_EQ(At(299, 199), 6);
}

TEST_F(Fp8, OtherGrids) {
  Make(48, 64, {1, 1});  // smaller than one block
  EXPECT_EQ(At(47, 63), 1);
  Make(300, 200, {1}, "_scale");  // one scale for all
  EXPECT_EQ(At(299, 199), 1);
  Make(300, 200, {}, "_scale");
  EXPECT_EQ(At(299, 199), 1);
  Make(300, 200, {300, 1}, "_scale");  // one per row
  EXPECT_EQ(At(299, 199), 300);
  EXPECT_EQ(At(5, 0), 6);
  Make(300, 100, {5, 2});  // blocks of 64
  EXPECT_EQ(At(64, 63), 3);
  EXPECT_EQ(At(64, 64), 4);
  Make(100, 200, {1, 2});  // the block reaches over the lower edge
  EXPECT_EQ(At(99, 128), 2);
  EXPECT_EQ(MustFind(tensors_, "x").Rows(50, 100).scales, MustFind(tensors_, "x").scales);
  Make(1, 200, {1, 2});
  EXPECT_EQ(At(0, 199), 2);
}

TEST_F(Fp8, RefusesGridsThatDoNotFit) {
  const auto error = [&](StatusCode code) {
    return ErrorOf(FindMatrix(tensors_.map(), "x"), code);
  };
  Make(300, 200, {2, 2});
  EXPECT_THAT(error(StatusCode::kData), HasSubstr("x.weight_scale_inv F32 [2, 2] does not go with "
                                                  "x.weight F8_E4M3 [300, 200]"));
  Make(300, 200, {1, 2});  // 300 rows in one block, but blocks have 128 columns
  error(StatusCode::kData);
  Make(300, 200, {3, 1});
  error(StatusCode::kData);
  Make(300, 200, {301, 1});
  error(StatusCode::kData);
  Make(300, 200, {6});
  error(StatusCode::kData);
  Make(300, 200, {0, 2});
  error(StatusCode::kData);
  Make(300, 200, {3, 2, 1});
  error(StatusCode::kData);
  Make(300, 200, {3, 2});
  tensors_.AddZeros("x.weight_scale_inv", DType::kU8, {3, 2});
  EXPECT_THAT(error(StatusCode::kUnsupported), HasSubstr("U8"));
  tensors_.Remove("x.weight_scale_inv");
  EXPECT_THAT(error(StatusCode::kData), HasSubstr("x.weight_scale_inv or x.weight_scale"));
}

TEST_F(Fp8, Stacks) {
  Tensors t;
  t.Add("e", DType::kF8E4M3, {2, 2, 4}, std::vector<uint8_t>(16, 0x38));
  t.Add<float>("e_scale_inv", DType::kF32, {2, 2, 1}, {1, 2, 3, 4});
  EXPECT_THAT(Row(*FindStackedMatrix(t.map(), "e", 1), 1), ElementsAre(4, 4, 4, 4));
  t.AddZeros("e_scale_inv", DType::kF32, {3, 2, 1});
  ErrorOf(FindStackedMatrix(t.map(), "e", 1), StatusCode::kData);
}

// Two rows of 16 values: nibble = column, so values before scaling are -8 ... 7.
class PackedInt4 : public ::testing::Test {
 protected:
  void SetUp() override {
    const uint32_t low = 0x76543210;
    const uint32_t high = 0xfedcba98;
    tensors_.Add<uint32_t>("x.weight_packed", DType::kI32, {2, 2}, {low, high, high, low});
    tensors_.Add<float>("x.weight_scale", DType::kF32, {2, 2}, {1, 10, 100, 1000});
    tensors_.Add<int64_t>("x.weight_shape", DType::kI64, {2}, {2, 16});
  }
  Tensors tensors_;
};

TEST_F(PackedInt4, Decodes) {
  const WeightView x = MustFind(tensors_, "x.weight");
  EXPECT_EQ(x.scale_block_cols, 8);
  EXPECT_THAT(Row(x, 0),
              ElementsAre(-8, -7, -6, -5, -4, -3, -2, -1, 0, 10, 20, 30, 40, 50, 60, 70));
  EXPECT_THAT(Row(x, 1), ElementsAre(0, 100, 200, 300, 400, 500, 600, 700, -8000, -7000, -6000,
                                     -5000, -4000, -3000, -2000, -1000));
  EXPECT_TRUE(HasWeight(tensors_.map(), "x"));
  tensors_.Remove("x.weight_shape");
  EXPECT_EQ(MustFind(tensors_, "x").cols, 16);
  tensors_.Add<int32_t>("x.weight_shape", DType::kI32, {2}, {2, 16});
  EXPECT_EQ(MustFind(tensors_, "x").cols, 16);
}

TEST_F(PackedInt4, OneGroupPerRow) {
  tensors_.Add<uint16_t>("x.weight_scale", DType::kBF16, {2, 1}, {0x3f80, 0x4000});
  EXPECT_EQ(Row(MustFind(tensors_, "x"), 1)[15], -2);
}

TEST_F(PackedInt4, RefusesContradictions) {
  const auto error = [&](StatusCode code) {
    return ErrorOf(FindMatrix(tensors_.map(), "x"), code);
  };
  tensors_.Add<int64_t>("x.weight_shape", DType::kI64, {2}, {2, 15});
  EXPECT_THAT(error(StatusCode::kUnsupported), HasSubstr("[2, 15]"));
  tensors_.AddZeros("x.weight_shape", DType::kI64, {3});
  error(StatusCode::kData);
  tensors_.Remove("x.weight_shape");
  tensors_.AddZeros("x.weight_scale", DType::kF32, {2, 3});
  EXPECT_THAT(error(StatusCode::kData), HasSubstr("x.weight_packed I32 [2, 2]"));
  tensors_.AddZeros("x.weight_scale", DType::kF32, {3, 2});
  error(StatusCode::kData);
  tensors_.AddZeros("x.weight_scale", DType::kI32, {2, 2});
  error(StatusCode::kUnsupported);
  tensors_.Remove("x.weight_scale");
  EXPECT_THAT(error(StatusCode::kData), HasSubstr("x.weight_scale are missing"));
  tensors_.AddZeros("x.weight_zero_point", DType::kI32, {1, 2});
  EXPECT_THAT(error(StatusCode::kUnsupported), HasSubstr("symmetric"));
  tensors_.AddZeros("x.weight_packed", DType::kF32, {2, 2});
  error(StatusCode::kData);
  tensors_.AddZeros("x.weight_packed", DType::kI32, {4});
  error(StatusCode::kData);
}

TEST(WeightLookup, FindsMatricesOfStacks) {
  Tensors t;
  t.Add<float>("e", DType::kF32, {2, 2, 1}, {1, 2, 3, 4});
  EXPECT_THAT(Row(*FindStackedMatrix(t.map(), "e", 1), 0), ElementsAre(3));
  ErrorOf(FindStackedMatrix(t.map(), "e", 2), StatusCode::kData);
  ErrorOf(FindStackedMatrix(t.map(), "e", -1), StatusCode::kData);
  ErrorOf(FindStackedMatrix(t.map(), "f", 0), StatusCode::kNotFound);
  t.AddZeros("two", DType::kF32, {2, 2});
  ErrorOf(FindStackedMatrix(t.map(), "two", 0), StatusCode::kData);
}

// Two experts of two rows; every value has code 2 (1.0), every row its own exponent.
class Mxfp4 : public ::testing::Test {
 protected:
  void SetUp() override {
    tensors_.Add("e_blocks", DType::kU8, {2, 2, 1, 16}, std::vector<uint8_t>(64, 0x22));
    tensors_.Add<uint8_t>("e_scales", DType::kU8, {2, 2, 1}, {127, 128, 129, 130});
  }
  Tensors tensors_;
};

TEST_F(Mxfp4, Decodes) {
  EXPECT_TRUE(HasWeight(tensors_.map(), "e"));
  const WeightView view = *FindStackedMatrix(tensors_.map(), "e", 1);
  EXPECT_EQ(view.cols, 32);
  EXPECT_THAT(Row(view, 0), ::testing::Each(4.0f));
  EXPECT_THAT(Row(view, 1), ::testing::Each(8.0f));
}

TEST_F(Mxfp4, RefusesContradictions) {
  const auto error = [&](int64_t index = 0) {
    return ErrorOf(FindStackedMatrix(tensors_.map(), "e", index), StatusCode::kData);
  };
  error(2);
  tensors_.AddZeros("e_scales", DType::kU8, {2, 2, 2});
  EXPECT_THAT(error(),
              HasSubstr("e_scales U8 [2, 2, 2] does not go with e_blocks U8 [2, 2, 1, 16]"));
  tensors_.AddZeros("e_scales", DType::kF32, {2, 2, 1});
  error();
  tensors_.Remove("e_scales");
  error();
  tensors_.AddZeros("e_scales", DType::kU8, {2, 2, 1});
  tensors_.AddZeros("e_blocks", DType::kU8, {2, 2, 1, 8});
  error();
  tensors_.AddZeros("e_blocks", DType::kU8, {});
  error();
}

TEST(EveryOtherRow, OfPlainRowsAndOfScaledRows) {
  Tensors t;
  t.Add<float>("p", DType::kF32, {4, 1}, {1, 2, 3, 4});
  const WeightView odd = *EveryOtherRow(MustFind(t, "p"), 1);
  EXPECT_EQ(odd.rows, 2);
  EXPECT_THAT(Row(odd, 1), ElementsAre(4));
  t.Add("s", DType::kF8E4M3, {4, 2}, std::vector<uint8_t>(8, 0x38));
  t.Add<float>("s_scale", DType::kF32, {4, 1}, {1, 2, 3, 4});
  EXPECT_THAT(Row(*EveryOtherRow(MustFind(t, "s"), 1), 1), ElementsAre(4, 4));
  EXPECT_THAT(Row(*EveryOtherRow(MustFind(t, "s"), 0), 1), ElementsAre(3, 3));
  t.Add<float>("s_scale", DType::kF32, {2, 1}, {1, 2});  // blocks of two rows
  EXPECT_THAT(Row(*EveryOtherRow(MustFind(t, "s"), 1), 0), ElementsAre(1, 1));
  EXPECT_THAT(Row(*EveryOtherRow(MustFind(t, "s"), 1), 1), ElementsAre(2, 2));
  t.AddZeros("three", DType::kF32, {3, 1});
  ErrorOf(EveryOtherRow(MustFind(t, "three"), 0), StatusCode::kData);
}

TEST(FindVector, AnyShapeAnyFloat) {
  Tensors t;
  t.Add<float>("n.weight", DType::kF32, {3}, {1, 2, 3});
  t.Add<uint16_t>("b.bias", DType::kBF16, {1, 2, 1}, {0x3f80, 0x4000});
  t.Add<uint16_t>("h", DType::kF16, {2}, {0x3c00, 0xc000});
  EXPECT_THAT(*FindVector(t.map(), "n", 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(*FindVector(t.map(), "n.weight", 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(*FindVector(t.map(), "b.bias", 2), ElementsAre(1, 2));
  EXPECT_THAT(*FindVector(t.map(), "h", 2), ElementsAre(1, -2));
  const auto wrong = FindVector(t.map(), "n", 4);
  EXPECT_EQ(wrong.status().code(), StatusCode::kData);
  EXPECT_THAT(wrong.status().message(), HasSubstr("n.weight F32 [3]: 4 values expected"));
  EXPECT_EQ(FindVector(t.map(), "x", 1).status().code(), StatusCode::kNotFound);
  t.AddZeros("f8", DType::kF8E4M3, {2});
  EXPECT_EQ(FindVector(t.map(), "f8", 2).status().code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace tutti::tensor
