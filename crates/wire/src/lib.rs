//! The MariaDB and MySQL protocol without I/O.
