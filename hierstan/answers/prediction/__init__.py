"""What comes next: new outcomes and groups, and how well they were predicted."""
