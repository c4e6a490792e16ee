// Ends at once: what the spawn rates start.
int main(void) { return 0; }
