"""What tests share: scripted customers, servers, peers and sound."""
