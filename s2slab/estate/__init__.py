"""The simulated estate: servers, directory, management store, disks, certificates, IIS; one clock, one lock."""
