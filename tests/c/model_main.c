/* `smartrouter model` alone, for as long as there is no main program. */
int sr_cmd_model(int argc, char **argv);
int main(int argc, char **argv) {
    return argc > 1 ? sr_cmd_model(argc - 1, argv + 1) : 2;
}
