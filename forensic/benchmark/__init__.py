"""Many runs side by side: train each variant alike, measure it on validation images, write one table."""
