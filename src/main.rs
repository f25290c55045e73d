//! The `longwire` program.

fn main() {
    std::process::exit(longwire::cli::main());
}
