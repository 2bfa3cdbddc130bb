"""What 2D, 3D and (2+1)D networks tell of public lung videos, beside plain floors, patient by patient held out."""
