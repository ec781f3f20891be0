"""A fit as a netCDF file, and back."""
