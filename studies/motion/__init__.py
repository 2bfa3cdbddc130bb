"""Whether networks that see motion tell what single frames cannot: 2D, 3D and (2+1)D SonoNet on the phantom."""
