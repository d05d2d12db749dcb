"""The kinds that LaserCats knows, one file a kind; all pure. Domains never import each other."""
