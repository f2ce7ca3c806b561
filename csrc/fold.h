// The folded form of two convolutions: which border class a pixel belongs to, and the table of kernels, one a class.
// Used by augment.cpp and augment.cu alike; everything here is float64 and runs once a call.
#pragma once

#include <cstdint>
#include <vector>

#include "augment.h"

namespace forensic {

// Classes of one axis: how many offsets of the second convolution stay inside, at each position.
class AxisClasses {
 public:
  AxisClasses(std::int64_t length, std::int64_t kernel);

  std::int64_t count() const { return count_; }
  // Positions [first, last) share the one class that lies at least k // 2 from both ends; empty when length < k.
  std::int64_t interior_first() const { return first_; }
  std::int64_t interior_last() const { return last_; }
  std::int64_t class_of(std::int64_t position) const;
  // Offsets of the second convolution that stay inside, for a class: [low, high].
  std::int64_t low(std::int64_t cls) const;
  std::int64_t high(std::int64_t cls) const;

 private:
  std::int64_t representative(std::int64_t cls) const;

  std::int64_t length_, radius_, count_, first_, last_;
};

// All kernels K_S and biases b_S of a pair of convolutions, and the way back to the gradients of the weights.
class Fold {
 public:
  explicit Fold(const AugmentShape& shape);

  const AxisClasses& rows() const { return rows_; }
  const AxisClasses& columns() const { return columns_; }
  std::int64_t span() const { return span_; }                            // 2k - 1, side of K_S
  std::int64_t terms() const { return kImageChannels * span_ * span_; }  // (i, dy, dx) of one output
  std::int64_t sets() const { return rows_.count() * columns_.count(); }
  std::int64_t set_of(std::int64_t row_class, std::int64_t column_class) const {
    return row_class * columns_.count() + column_class;
  }
  // One set in a table: terms() x 3 outputs, the output fastest, then 3 biases.
  std::int64_t set_size() const { return (terms() + 1) * kImageChannels; }

  // The table of all sets, in float64.
  template <typename T>
  std::vector<double> table(const AugmentWeights<T>& weights) const;

  // `sums` has the layout of the table and holds G_S and g_S.
  template <typename T>
  void unfold(const double* sums, const AugmentWeights<T>& weights, T* d_w1, T* d_b1, T* d_w2, T* d_b2) const;

 private:
  AugmentShape shape_;
  AxisClasses rows_, columns_;
  std::int64_t span_;
};

}  // namespace forensic
