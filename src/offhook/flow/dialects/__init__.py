"""Documents in, flows out; views in, webhook parameters out. One file per language; none knows another."""
