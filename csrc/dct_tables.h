// The constants of an axis of dct2: computed in double, rounded once, kept for the lengths seen so far.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>
#include <optional>
#include <vector>

#include "dct_kernel.h"

namespace forensic {

// cos and sin of 2 pi j / n.
inline double dct_cosine(std::int64_t j, std::int64_t n) {
  return std::cos(2 * std::numbers::pi * static_cast<double>(j % n) / static_cast<double>(n));
}
inline double dct_sine(std::int64_t j, std::int64_t n) {
  return std::sin(2 * std::numbers::pi * static_cast<double>(j % n) / static_cast<double>(n));
}

// Owns what a DctOdd points at; the formulas are those of dct_odd.h.
template <typename T>
class DctOddTables {
 public:
  explicit DctOddTables(std::int64_t m) : m_(m) {
    std::vector<std::int64_t> factors;  // the largest first: where it joins single values, it has no twiddles
    std::int64_t left = m;
    for (std::int64_t p = 3; p * p <= left; p += 2) {
      for (; left % p == 0; left /= p) factors.insert(factors.begin(), p);
    }
    if (left > 1) factors.insert(factors.begin(), left);
    std::int64_t length = 1;
    for (const std::int64_t p : factors) {
      Pass& pass = passes_.emplace_back();
      for (std::int64_t k = 1; k <= length / 2; ++k) {
        for (std::int64_t j = 1; j < p; ++j) {
          pass.twiddles.push_back(static_cast<T>(dct_cosine(j * k, length * p)));
          pass.twiddles.push_back(static_cast<T>(dct_sine(j * k, length * p)));
        }
      }
      for (std::int64_t j = 0; j < p; ++j) {
        pass.cosines.push_back(static_cast<T>(dct_cosine(j, p)));
        pass.sines.push_back(static_cast<T>(dct_sine(j, p)));
      }
      views_.push_back({p, length, nullptr, nullptr, nullptr});
      length *= p;
    }
    for (std::size_t i = 0; i < passes_.size(); ++i) {
      views_[i].twiddles = passes_[i].twiddles.data();
      views_[i].cosines = passes_[i].cosines.data();
      views_[i].sines = passes_[i].sines.data();
    }
    for (Form& form : forms_) form = Form(m);
    second_kind(forms_[0]);
    fourth_kind(forms_[1]);
    second_kind_transposed(forms_[2]);
  }

  DctOdd<T> odd() const {
    DctOdd<T> all{static_cast<std::int64_t>(views_.size()), views_.data(), {}};
    for (std::size_t i = 0; i < 3; ++i) {
      const Form& form = forms_[i];
      all.forms[i] = {form.in.data(), form.in_factors.data(), form.out.data(), form.out_factors.data()};
    }
    return all;
  }

 private:
  struct Pass {
    std::vector<T> twiddles, cosines, sines;
  };
  struct Form {
    std::vector<std::int64_t> in, out;
    std::vector<T> in_factors, out_factors;
    Form() = default;
    explicit Form(std::int64_t m)
        : in(static_cast<std::size_t>(2 * m)),
          out(static_cast<std::size_t>(m + 1)),
          in_factors(in.size()),
          out_factors(2 * out.size()) {}
    // Value t of the DFT takes `factor` times given value i as its first or second part.
    void take(std::int64_t t, std::int64_t part, std::int64_t i, double factor) {
      in[static_cast<std::size_t>(2 * t + part)] = i;
      in_factors[static_cast<std::size_t>(2 * t + part)] = static_cast<T>(factor);
    }
    // Result `one` of the two that are made from coefficient f.
    void give(std::int64_t f, std::int64_t one, std::int64_t k, double re, double im) {
      out[static_cast<std::size_t>(2 * f + one)] = k;
      out_factors[static_cast<std::size_t>(4 * f + 2 * one)] = static_cast<T>(re);
      out_factors[static_cast<std::size_t>(4 * f + 2 * one + 1)] = static_cast<T>(im);
    }
  };

  // Where the DFT has value i: (-1)^i (2i+1) / 2^power modulo m.
  std::int64_t place(std::int64_t i, int power) const {
    std::int64_t at = (2 * i + 1) % m_;
    if (i % 2 != 0) at = (m_ - at) % m_;
    for (; power > 0; --power) at = at % 2 == 0 ? at / 2 : (at + m_) / 2;
    return at;
  }

  void second_kind(Form& form) const {
    for (std::int64_t i = 0; i < m_; ++i) form.take(place(i, 1), 0, i, 1);
    form.give(0, 0, 0, 1, 0);
    for (std::int64_t f = 1; f <= m_ / 2; ++f) {
      const double sign = f % 2 == 0 ? 1 : -1;
      form.give(f, 0, 2 * f, sign, 0);
      form.give(f, 1, m_ - 2 * f, 0, -sign);
    }
  }

  void fourth_kind(Form& form) const {
    const auto e = [](std::int64_t j) { return j % 8 == 1 || j % 8 == 7 ? 1.0 : -1.0; };
    const auto g = [](std::int64_t j) { return j % 8 == 1 || j % 8 == 3 ? 1.0 : -1.0; };
    const double root = 1 / std::numbers::sqrt2;
    for (std::int64_t i = 0; i < m_; ++i) form.take(place(i, 3), 0, i, e(2 * i + 1));
    for (std::int64_t k = 0; k < m_; ++k) {
      const std::int64_t q = 2 * k + 1;
      const std::int64_t f = q % m_;
      const double re = root * e(q * m_);
      const double im = root * g(q * m_);
      if (f <= m_ / 2) {
        form.give(f, 0, k, re, im);
      } else {
        form.give(m_ - f, 1, k, re, -im);
      }
    }
  }

  void second_kind_transposed(Form& form) const {
    form.take(0, 0, 0, 1);
    for (std::int64_t f = 1; f <= m_ / 2; ++f) {
      const double sign = f % 2 == 0 ? 0.5 : -0.5;
      form.take(f, 0, 2 * f, sign);
      form.take(f, 1, m_ - 2 * f, sign);
      form.take(m_ - f, 0, 2 * f, sign);
      form.take(m_ - f, 1, m_ - 2 * f, -sign);
    }
    for (std::int64_t i = 0; i < m_; ++i) {
      const std::int64_t t = place(i, 1);
      if (t <= m_ / 2) {
        form.give(t, 0, i, 1, -1);
      } else {
        form.give(m_ - t, 1, i, 1, 1);
      }
    }
  }

  std::int64_t m_;
  std::vector<Pass> passes_;
  std::vector<DctOddPass<T>> views_;
  Form forms_[3];
};

// Owns what a DctAxis points at.
template <typename T>
class DctTables {
 public:
  explicit DctTables(std::int64_t n) : n_(n), odd_(n) {
    std::size_t depth = 0;
    for (; odd_ % 2 == 0; odd_ /= 2) ++depth;
    constexpr double pi = std::numbers::pi;
    for (std::size_t d = 0; d < depth; ++d) {
      const std::int64_t length = n >> d;
      std::vector<T>& rotation = rotations_.emplace_back();
      for (std::int64_t i = 0; i < length / 2; ++i) {
        const double angle = pi * static_cast<double>(2 * i + 1) / static_cast<double>(4 * length);
        const double sign = i % 2 == 0 ? 1.0 : -1.0;
        for (const double one : {std::cos(angle), std::sin(angle), sign * std::cos(angle), sign * std::sin(angle)}) {
          rotation.push_back(static_cast<T>(one));
        }
      }
    }
    for (const std::vector<T>& rotation : rotations_) pointers_.push_back(rotation.data());
    if (odd_ > kDctShortOdd) {
      odd_tables_.emplace(odd_);
      return;
    }
    for (std::int64_t j = 0; j < 8 * odd_; ++j) {
      cosines_.push_back(static_cast<T>(std::cos(pi * static_cast<double>(j) / static_cast<double>(4 * odd_))));
    }
  }
  DctTables(const DctTables&) = delete;
  DctTables& operator=(const DctTables&) = delete;

  DctAxis<T> axis() const {
    return {n_, odd_, pointers_.data(), cosines_.data(), odd_tables_ ? odd_tables_->odd() : DctOdd<T>{}};
  }

 private:
  std::int64_t n_, odd_;
  std::vector<T> cosines_;
  std::vector<std::vector<T>> rotations_;
  std::vector<const T*> pointers_;
  std::optional<DctOddTables<T>> odd_tables_;
};

// Tables of the lengths seen so far; a program that meets very many lengths starts over now and then.
template <typename T>
std::shared_ptr<const DctTables<T>> dct_tables_of(std::int64_t n) {
  constexpr std::size_t most = 64;
  static std::mutex mutex;
  static std::map<std::int64_t, std::shared_ptr<const DctTables<T>>> known;
  const std::lock_guard<std::mutex> lock(mutex);
  auto found = known.find(n);
  if (found == known.end()) {
    if (known.size() >= most) known.clear();
    found = known.emplace(n, std::make_shared<const DctTables<T>>(n)).first;
  }
  return found->second;
}

}  // namespace forensic
