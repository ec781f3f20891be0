"""How different the groups are: heterogeneity, shrinkage, slopes, arms."""
